package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"sampan/broker/alink/envelope"
	"sampan/broker/credential"
	"sampan/broker/device"
	"sampan/broker/ledger"
)

// signed is a sub-device in a request, signed with its own secret. The spelling of signMethod differs
// between requests, which the decoder of JSON does not mind. cleanSession is not looked at: messages wait for a
// sub-device as they do for its gateway.
type signed struct {
	Name
	ClientID   string          `json:"clientId"`
	Timestamp  json.RawMessage `json:"timestamp"` // text or a number
	SignMethod string          `json:"signMethod"`
	Sign       string          `json:"sign"`
}

// text is a value as it was signed: without the quotes if it is text.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// verify checks a sub-device's signature. The client id is signed whole, with its pipes.
func (s *Service) verify(d *signed) (dev device.Device, code envelope.Code) {
	if d.ProductKey == "" || d.DeviceName == "" || d.Sign == "" || d.ClientID == "" {
		return dev, envelope.ParamError
	}
	method, ok := credential.ParseMethod(d.SignMethod)
	if !ok {
		return dev, envelope.BadSignMethod
	}
	dev, err := s.opts.Registry.Device(d.ProductKey, d.DeviceName)
	if err != nil {
		return dev, envelope.NoDevice
	}
	if dev.Product().AuthType != device.BySecret {
		return dev, envelope.BadSign // its secret proves nothing
	}
	content := credential.Content{
		ClientID: []byte(d.ClientID), DeviceName: []byte(d.DeviceName), ProductKey: []byte(d.ProductKey),
	}
	if t := text(d.Timestamp); t != "" {
		content.Timestamp = []byte(t)
	}
	if !method.Matches([]byte(d.Sign), dev.Secret(), content.AppendTo(nil)) {
		return dev, envelope.BadSign
	}
	if dev.Status() == device.Disabled {
		return dev, envelope.DeviceDisabled
	}
	return dev, envelope.OK
}

// addTopology makes devices sub-devices of a gateway: all of the request or none.
func (s *Service) addTopology(g Name, params json.RawMessage) (envelope.Code, any) {
	list, code := readList[signed](params)
	if code != envelope.OK {
		return code, nil
	}
	for i := range list {
		if list[i].Name == g {
			return envelope.SelfTopology, nil
		}
		switch _, code := s.verify(&list[i]); code {
		case envelope.OK:
		case envelope.BadSign: // the codes differ from those of a login
			return envelope.SignError, nil
		case envelope.DeviceDisabled:
			return envelope.Forbidden, nil
		default:
			return code, nil
		}
	}
	names := make([]Name, len(list))
	for i := range list {
		names[i] = list[i].Name
	}
	before, code := s.bind(g, names)
	if code != envelope.OK {
		return code, nil
	}
	for old, subs := range before {
		s.notify(Remove, old, subs...)
		s.revoke(old, slices.DeleteFunc(subs, func(n Name) bool {
			through, online := s.Through(n.ProductKey, n.DeviceName)
			return online && through == old
		})...)
	}
	s.notify(Add, g, names...)
	return envelope.OK, names
}

// bind makes devices a gateway's sub-devices: all of them or none. It returns those that belonged to others
// before, by gateway.
func (s *Service) bind(g Name, subs []Name) (before map[Name][]Name, code envelope.Code) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to := s.gateway(g)
	n := len(to.topology)
	for _, sub := range subs {
		if _, there := to.topology[sub]; !there {
			n++
		}
	}
	if s.tooMany("sub-devices", g, n, s.limits.SubDevices) {
		return nil, envelope.TooManySubs
	}
	if err := s.keepTopology(g, subs); err != nil {
		s.opts.Logger.Error("a topology cannot be kept", "gateway", g.String(), "error", err)
		return nil, envelope.SystemError
	}
	before = make(map[Name][]Name)
	for _, sub := range subs {
		if old := s.owner[sub]; old != nil && old != to {
			before[old.name] = append(before[old.name], sub)
		}
		// A device belongs to one gateway: the last one that could sign for it. It stays logged in through
		// another until it logs in here.
		s.unbind(sub)
		to.topology[sub] = struct{}{}
		s.owner[sub] = to
	}
	return before, envelope.OK
}

// deleteTopology takes devices out of a gateway's topology; those that are logged in are logged out.
func (s *Service) deleteTopology(g Name, params json.RawMessage) (envelope.Code, any) {
	list, code := readNames(params)
	if code != envelope.OK {
		return code, nil
	}
	if err := s.removeTopology(g, list, false); err != nil {
		s.opts.Logger.Error("a topology cannot be changed", "gateway", g.String(), "error", err)
		return envelope.SystemError, nil
	}
	return envelope.OK, list
}

// RemoveTopology takes devices out of a gateway's topology, and returns when that holds.
func (s *Service) RemoveTopology(g Name, subs ...Name) error {
	if err := s.removeTopology(g, subs, true); err != nil {
		return err
	}
	return s.ledger.Wait()
}

// removeTopology takes devices out of a topology. tell says that the gateway is told of those that were logged in.
func (s *Service) removeTopology(g Name, subs []Name, tell bool) error {
	s.mu.Lock()
	from := s.gateways[g]
	if from == nil {
		s.mu.Unlock()
		return nil
	}
	var removed []Name
	var kept []string
	seen := make(map[Name]bool)
	for _, n := range subs {
		if s.owner[n] == from && !seen[n] {
			seen[n] = true
			removed = append(removed, n)
			kept = append(kept, s.iotID(n))
		}
	}
	if err := s.ledger.Delete(ledger.Topology, kept...); err != nil {
		s.mu.Unlock()
		return err
	}
	for _, n := range removed {
		s.unbind(n)
	}
	elsewhere := s.elsewhere(from, removed)
	s.mu.Unlock()
	s.notify(Remove, g, removed...)
	for _, n := range s.endAll(from, subs, true) {
		if tell {
			s.tell(from, n, envelope.NoTopology)
		}
	}
	s.revoke(g, removed...)
	s.expel(elsewhere)
	return nil
}

// elsewhere finds those of the sub-devices that are logged in through another gateway than the one that had added them:
// the one before it. Called with mu held.
func (s *Service) elsewhere(owner *gateway, subs []Name) map[*gateway][]Name {
	found := make(map[*gateway][]Name)
	for _, n := range subs {
		if through := s.through[n]; through != nil && through != owner {
			found[through] = append(found[through], n)
		}
	}
	return found
}

// expel logs sub-devices out that are in nobody's topology any more, and tells the gateways.
func (s *Service) expel(elsewhere map[*gateway][]Name) {
	for through, subs := range elsewhere {
		for _, n := range s.endAll(through, subs, true) {
			s.tell(through, n, envelope.NoTopology)
		}
	}
}

// tooMany reports whether a gateway has, or asks for, more than a limit of the table, where zero is none, and counts
// that by the limit's name.
func (s *Service) tooMany(what string, g Name, n, limit int) bool {
	if limit <= 0 || n <= limit {
		return false
	}
	s.opts.Meter.Refused(what, g.String(), int64(limit), int64(n))
	return true
}

// The status of a change of topology that a gateway is told of.
const (
	Created  = 0
	Deleted  = 1
	Enabled  = 2
	Disabled = 8
)

// NotifyAdd asks a gateway to add sub-devices to its topology (thing.topo.add.notify). The gateway then does
// so, with the signatures.
func (s *Service) NotifyAdd(g Name, subs ...Name) error {
	return s.ask(g, "topo/add/notify", subs)
}

// NotifyChange tells a gateway that its topology was changed (thing.topo.change).
func (s *Service) NotifyChange(g Name, status int, subs ...Name) error {
	return s.ask(g, "topo/change", struct {
		Status  int    `json:"status"`
		SubList []Name `json:"subList"`
	}{status, subs})
}

// ErrNotConnected is returned when a gateway listens to no such topic, or is not connected.
var ErrNotConnected = errors.New("gateway: the gateway has not subscribed to the topic")

func (s *Service) ask(g Name, path string, params any) error {
	payload, err := envelope.Ask(s.id(), envelope.MethodOf(path), params)
	if err != nil {
		return err
	}
	n, err := s.broker.Publish(context.Background(), "/sys/"+g.String()+"/thing/"+path, payload, 0)
	if err == nil && n == 0 {
		err = ErrNotConnected
	}
	return err
}

// unregister forgets nothing: it takes the devices out of every topology and logs them out.
func (s *Service) unregister(g Name, params json.RawMessage) (envelope.Code, any) {
	return s.deleteTopology(g, params)
}

// readList reads params that are a list, or a single one.
func readList[T any](params json.RawMessage) ([]T, envelope.Code) {
	var list []T
	if json.Unmarshal(params, &list) == nil && len(list) > 0 {
		return list, envelope.OK
	}
	var one T
	if len(params) == 0 || params[0] != '{' || json.Unmarshal(params, &one) != nil {
		return nil, envelope.ParamError
	}
	return []T{one}, envelope.OK
}

// readNames is readList for devices by their names, which all of them have: an empty object would be answered with
// ten times its bytes.
func readNames(params json.RawMessage) ([]Name, envelope.Code) {
	list, code := readList[Name](params)
	if slices.ContainsFunc(list, func(n Name) bool { return n.ProductKey == "" || n.DeviceName == "" }) {
		return nil, envelope.ParamError
	}
	return list, code
}

func sorted(set map[Name]struct{}) []Name {
	return slices.SortedFunc(maps.Keys(set), func(a, b Name) int {
		return cmp.Or(cmp.Compare(a.ProductKey, b.ProductKey), cmp.Compare(a.DeviceName, b.DeviceName))
	})
}
