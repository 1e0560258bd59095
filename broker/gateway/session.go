package gateway

import (
	"context"
	"encoding/json"

	"sampan/broker/alink/envelope"
	"sampan/broker/device"
	"sampan/broker/permission"
)

const (
	codeDeleted  = envelope.DeviceDeleted
	codeDisabled = envelope.DeviceDisabled
)

// login logs sub-devices in through a gateway: all of the request or none. auto says that the system topics
// of the gateway are subscribed for it.
func (s *Service) login(g Name, auto bool, list []signed) (envelope.Code, string) {
	if len(list) > s.opts.MaxBatch {
		return envelope.TooOften, ""
	}
	devices := make([]device.Device, len(list))
	for i := range list {
		d, code := s.verify(&list[i], envelope.BadSign)
		if code != envelope.OK {
			return code, list[i].Name.String() + ": " + code.String()
		}
		devices[i] = d
	}
	s.mu.Lock()
	through := s.gateway(g)
	through.auto = auto
	for i := range list {
		if _, ok := through.topology[list[i].Name]; !ok {
			s.mu.Unlock()
			return envelope.NoTopology, list[i].Name.String() + ": " + envelope.NoTopology.String()
		}
	}
	var elsewhere []*gateway
	var moved []Name
	for i := range list {
		if old := s.through[list[i].Name]; old != nil && old != through {
			elsewhere, moved = append(elsewhere, old), append(moved, list[i].Name)
		}
	}
	s.mu.Unlock()
	for i, old := range elsewhere {
		s.end(old, moved[i])
		s.tell(old, moved[i], envelope.SameDevice)
	}

	grants := make([]*permission.Compiled, len(devices))
	for i := range devices {
		grants[i] = s.opts.Permissions(&devices[i])
		// A first login activates; a failure to note that is no reason to keep the device out.
		if err := s.opts.Registry.Activate(&devices[i]); err != nil {
			s.opts.Logger.Warn("sub-device not activated", "device", list[i].Name.String(), "error", err)
		}
	}
	s.mu.Lock()
	through.setOnline(func(online map[Name]*permission.Compiled) {
		for i := range list {
			online[list[i].Name] = grants[i]
			s.through[list[i].Name] = through
		}
	})
	s.mu.Unlock()
	for i := range list {
		if auto {
			for _, filter := range grants[i].AutoSubscriptions() {
				s.broker.AddSubscription(s.opts.Key(g.ProductKey, g.DeviceName), filter, 1)
			}
		}
		s.changed(list[i].Name, g, true)
	}
	return envelope.OK, ""
}

// logout logs sub-devices out.
func (s *Service) logout(g Name, list []Name) (envelope.Code, string) {
	if len(list) > s.opts.MaxBatch {
		return envelope.TooOften, ""
	}
	s.mu.Lock()
	through := s.gateways[g]
	for _, n := range list {
		if through == nil || s.through[n] != through {
			s.mu.Unlock()
			return envelope.NoSession, n.String() + ": " + envelope.NoSession.String()
		}
	}
	s.mu.Unlock()
	for _, n := range list {
		s.end(through, n)
	}
	return envelope.OK, ""
}

// end takes a sub-device offline and the gateway's subscriptions to its topics away.
func (s *Service) end(through *gateway, n Name) {
	s.mu.Lock()
	online := through.online.Load()
	var grant *permission.Compiled
	if online != nil {
		grant = (*online)[n]
	}
	if grant == nil {
		s.mu.Unlock()
		return
	}
	through.setOnline(func(m map[Name]*permission.Compiled) { delete(m, n) })
	if s.through[n] == through {
		delete(s.through, n)
	}
	auto := through.auto
	s.mu.Unlock()
	key := s.opts.Key(through.name.ProductKey, through.name.DeviceName)
	if auto {
		for _, filter := range grant.AutoSubscriptions() {
			s.broker.RemoveSubscription(key, filter)
		}
	}
	s.broker.Reauthorize(key)
	s.changed(n, through.name, false)
}

// tell tells a gateway what happened to its sub-device, on /ext/error.
func (s *Service) tell(g *gateway, n Name, code envelope.Code) {
	b, err := json.Marshal(struct {
		ID      string        `json:"id"`
		Code    envelope.Code `json:"code"`
		Data    Name          `json:"data"`
		Message string        `json:"message"`
	}{"0", code, n, code.String()})
	if err == nil {
		s.publish("/ext/error/"+g.name.String(), b)
	}
}

func (s *Service) publish(topic string, payload []byte) {
	if _, err := s.broker.Publish(context.Background(), topic, payload, 0); err != nil {
		s.opts.Logger.Debug("gateway answer not sent", "topic", topic, "error", err)
	}
}
