package gateway

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sampan/broker/alink/envelope"
	"sampan/broker/device"
	"sampan/broker/ledger"
	"sampan/broker/permission"
	"sampan/broker/quota"
)

// Broker is what a Service needs of the broker; a *broker.Broker is one.
type Broker interface {
	Publish(ctx context.Context, topic string, payload []byte, qos byte) (receivers int, err error)
	Reauthorize(key string) int
	Deliver(ctx context.Context, key, topic string, payload []byte, qos byte) error
	Disconnect(key, why string) bool
	AddSubscription(key, filter string, qos byte) bool
	RemoveSubscription(key, filter string) bool
	RemoveSubscriptions(key string, which func(filter string) bool) int
}

// Options configure a Service. Zero values mean the platform's numbers.
type Options struct {
	Registry *device.Registry // required
	// Permissions returns a device's permissions. Required.
	Permissions func(d *device.Device) *permission.Compiled
	// Key is the key of a device's session in the broker. Required.
	Key func(productKey, deviceName string) string
	// Changed is told when a sub-device comes online or goes offline. nil: nobody is.
	Changed func(productKey, deviceName string, gateway Name, online bool)

	// Notify is told of changes of topologies, and of devices that gateways have found, on the goroutine of a
	// connection: it must not wait. nil: nobody is.
	Notify func(Notice)

	// Ledger is where topologies are kept. The Service does not close it. nil: one in memory.
	Ledger *ledger.Ledger
	// Quantities are the limits on gateways. nil: quota.Platform().
	Quantities *quota.Limits
	// Meter is told what the limits refuse. nil: one that only logs.
	Meter *quota.Meter

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default()
}

// Name names a device.
type Name struct {
	ProductKey string `json:"productKey"`
	DeviceName string `json:"deviceName"`
}

// String is productKey/deviceName.
func (n Name) String() string { return n.ProductKey + "/" + n.DeviceName }

// Service knows every gateway that has sub-devices. It is safe for concurrent use.
type Service struct {
	opts   Options
	limits quota.Limits
	logins quota.Limiter // of one gateway
	ledger *ledger.Ledger
	broker Broker
	ids    atomic.Uint32

	refused atomic.Uint64 // requests

	mu       sync.RWMutex // guards what follows, and the maps in a gateway
	gateways map[Name]*gateway
	through  map[Name]*gateway // sub-device → the gateway it is logged in through
	owner    map[Name]*gateway // sub-device → the gateway that has it in its topology
}

// gateway is one gateway and its sub-devices.
type gateway struct {
	name      Name
	auto      bool // its system topics are subscribed for it, and so are those of its sub-devices
	topology  map[Name]struct{}
	forgotten atomic.Bool // it had no sub-devices left; a later one of this name is another
	logins    atomic.Uint64

	// online is the sub-devices that are logged in, replaced as a whole, so that the hot path takes no lock.
	online atomic.Pointer[map[Name]*permission.Compiled]
}

// New returns a Service. Recover takes over what the ledger has, and Use gives it the broker.
func New(o Options) *Service {
	if o.Quantities == nil {
		o.Quantities = quota.Platform()
	}
	if o.Ledger == nil {
		o.Ledger = ledger.New(ledger.Options{})
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Meter == nil {
		o.Meter = &quota.Meter{Logger: o.Logger}
	}
	return &Service{
		opts: o, limits: *o.Quantities, logins: o.Quantities.Rate(quota.SubDeviceLogins).Limiter(), ledger: o.Ledger,
		gateways: make(map[Name]*gateway), through: make(map[Name]*gateway), owner: make(map[Name]*gateway),
	}
}

// Use gives the Service the broker. It is called before the first message.
func (s *Service) Use(b Broker) { s.broker = b }

// gateway returns the gateway with this name, made if it is new. Called with mu held.
func (s *Service) gateway(n Name) *gateway {
	g := s.gateways[n]
	if g == nil {
		g = &gateway{name: n, topology: make(map[Name]struct{})}
		s.gateways[n] = g
	}
	return g
}

// View is what the connection of a device knows of its sub-devices. It may be used by several goroutines.
type View struct {
	service *Service
	name    Name
	gateway atomic.Pointer[gateway] // as it was found last
}

// View returns the View for a connection of a device.
func (s *Service) View(productKey, deviceName string) *View {
	return &View{service: s, name: Name{productKey, deviceName}}
}

// Sub returns the permissions of a sub-device that is logged in through this device, or nil. Of a gateway
// that has sub-devices it takes no lock. The names are views.
func (v *View) Sub(productKey, deviceName []byte) *permission.Compiled {
	g := v.gateway.Load()
	if g == nil || g.forgotten.Load() {
		if g = v.service.find(v.name); g == nil {
			return nil
		}
		v.gateway.Store(g)
	}
	online := g.online.Load()
	if online == nil {
		return nil
	}
	return (*online)[Name{string(productKey), string(deviceName)}]
}

func (s *Service) find(n Name) *gateway {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.gateways[n]
}

// Through returns the gateway that a sub-device is logged in through.
func (s *Service) Through(productKey, deviceName string) (Name, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	g := s.through[Name{productKey, deviceName}]
	if g == nil {
		return Name{}, false
	}
	return g.name, true
}

// Of returns the gateway that has a device in its topology.
func (s *Service) Of(sub Name) (Name, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if g := s.owner[sub]; g != nil {
		return g.name, true
	}
	return Name{}, false
}

// Online calls f for each device of a product that is logged in through a gateway, until it returns false.
func (s *Service) Online(productKey string, f func(sub, through Name) bool) {
	type pair struct{ sub, through Name }
	var all []pair
	s.mu.RLock()
	for sub, g := range s.through {
		if sub.ProductKey == productKey {
			all = append(all, pair{sub, g.name})
		}
	}
	s.mu.RUnlock()
	for _, p := range all {
		if !f(p.sub, p.through) {
			return
		}
	}
}

// OfProduct returns the gateways through which devices of a product are logged in.
func (s *Service) OfProduct(productKey string) []Name {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := make(map[Name]struct{})
	for sub, g := range s.through {
		if sub.ProductKey == productKey {
			found[g.name] = struct{}{}
		}
	}
	return sorted(found)
}

// Topology returns a gateway's sub-devices.
func (s *Service) Topology(productKey, deviceName string) []Name {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.subDevices(Name{productKey, deviceName})
}

// setOnline replaces the sub-devices that are logged in. Called with mu held.
func (g *gateway) setOnline(change func(map[Name]*permission.Compiled)) {
	next := make(map[Name]*permission.Compiled)
	if old := g.online.Load(); old != nil {
		maps.Copy(next, *old)
	}
	change(next)
	g.online.Store(&next)
}

// Disconnected says that a device's connection has ended: its sub-devices are offline.
func (s *Service) Disconnected(productKey, deviceName string) {
	s.mu.Lock()
	g := s.gateways[Name{productKey, deviceName}]
	var gone, lost []Name
	if g != nil {
		gone = s.offline(g)
		for _, n := range gone {
			if s.owner[n] != g {
				lost = append(lost, n)
			}
		}
		if len(g.topology) == 0 {
			s.forget(g)
		}
	}
	s.mu.Unlock()
	for _, n := range gone {
		s.changed(n, g.name, false)
	}
	if g != nil {
		s.revoke(g.name, lost...)
	}
}

// Connected says that a device has connected by itself: it is not reached through a gateway any more.
func (s *Service) Connected(productKey, deviceName string) {
	n := Name{productKey, deviceName}
	s.mu.RLock()
	through, owner := s.through[n], s.owner[n]
	s.mu.RUnlock()
	if through != nil && s.end(through, n, false) {
		s.tell(through, n, envelope.SameDevice)
	}
	if owner != nil {
		s.revoke(owner.name, n)
	}
}

// offline takes all sub-devices of a gateway offline and returns them. Called with mu held.
func (s *Service) offline(g *gateway) (gone []Name) {
	if online := g.online.Load(); online != nil {
		for n := range *online {
			gone = append(gone, n)
			delete(s.through, n)
		}
	}
	g.online.Store(nil)
	return gone
}

// forget drops a gateway. Called with mu held.
func (s *Service) forget(g *gateway) {
	g.forgotten.Store(true)
	delete(s.gateways, g.name)
	for n := range g.topology {
		delete(s.owner, n)
	}
}

// unbind takes a sub-device out of the topology that it is in. Called with mu held.
func (s *Service) unbind(n Name) {
	if g := s.owner[n]; g != nil {
		delete(g.topology, n)
		delete(s.owner, n)
	}
}

// Deleted says that a device was deleted: it is no gateway any more and nobody's sub-device. The IotId is the
// one that it had.
func (s *Service) Deleted(productKey, deviceName, iotID string) {
	n := Name{productKey, deviceName}
	s.mu.Lock()
	owner, through := s.owner[n], s.through[n]
	var gone []Name
	unbound := []string{iotID}
	var elsewhere map[*gateway][]Name
	g := s.gateways[n]
	if g != nil {
		gone = s.offline(g)
		elsewhere = s.elsewhere(g, slices.Collect(maps.Keys(g.topology)))
		for sub := range g.topology {
			unbound = append(unbound, s.iotID(sub))
		}
		s.forget(g)
	}
	s.unbind(n)
	if err := s.ledger.Delete(ledger.Topology, unbound...); err != nil {
		s.opts.Logger.Error("the topology of a deleted device is still kept", "device", n.String(), "error", err)
	}
	s.mu.Unlock()
	for _, sub := range gone {
		s.changed(sub, n, false)
	}
	s.expel(elsewhere)
	if owner != nil && s.opts.Notify != nil {
		s.opts.Notify(Notice{Remove, owner.name, []Identified{{n, iotID}}}) // the registry does not know it any more
	}
	s.inform(owner, through, n, "thing/delete", Deleted, envelope.DeviceDeleted)
}

// Disabled says that a device was disabled: it is not logged in any more.
func (s *Service) Disabled(productKey, deviceName string) {
	n := Name{productKey, deviceName}
	s.mu.RLock()
	owner, through := s.owner[n], s.through[n]
	s.mu.RUnlock()
	if owner != nil {
		s.notify(Disable, owner.name, n)
	}
	s.inform(owner, through, n, "thing/disable", Disabled, envelope.DeviceDisabled)
}

// Enabled says that a device may log in again.
func (s *Service) Enabled(productKey, deviceName string) {
	n := Name{productKey, deviceName}
	s.mu.RLock()
	owner := s.owner[n]
	s.mu.RUnlock()
	if owner != nil {
		s.notify(Enable, owner.name, n)
	}
	s.inform(owner, nil, n, "thing/enable", Enabled, 0)
}

// inform tells a sub-device's gateways what the server has done to it.
func (s *Service) inform(owner, through *gateway, n Name, path string, status int, code envelope.Code) {
	if owner != nil {
		s.request(owner.name, n, path, struct{}{})
		// A gateway that is not there will be told when it asks.
		_ = s.NotifyChange(owner.name, status, n)
	}
	if through != nil && s.end(through, n, true) {
		s.tell(through, n, code)
	}
	if owner != nil && code != 0 {
		s.revoke(owner.name, n)
	}
}

func (s *Service) changed(n, through Name, online bool) {
	if s.opts.Changed != nil {
		s.opts.Changed(n.ProductKey, n.DeviceName, through, online)
	}
}

// subDevices lists a topology in order. Called with mu held.
func (s *Service) subDevices(n Name) []Name {
	g := s.gateways[n]
	if g == nil {
		return []Name{}
	}
	return sorted(g.topology)
}
