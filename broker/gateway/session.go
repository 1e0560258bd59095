package gateway

import (
	"bytes"
	"context"
	"strconv"
	"strings"

	"sampan/broker/alink/envelope"
	"sampan/broker/device"
	"sampan/broker/permission"
	"sampan/broker/quota"
)

// login logs sub-devices in through a gateway: all of the request or none. auto says that the system topics
// of the gateway are subscribed for it.
func (s *Service) login(g Name, auto bool, list []signed) (envelope.Code, string) {
	if s.tooLong(g, len(list)) {
		return envelope.TooOften, ""
	}
	if from := s.find(g); from != nil && !s.logins.AllowShared(&from.logins, s.opts.Now().UnixNano(), len(list)) {
		word := from.logins.Load()
		s.opts.Meter.Refused(quota.SubDeviceLogins.String(), g.String(), int64(s.limits.Rate(quota.SubDeviceLogins).Limit), int64(s.logins.Current(word)))
		return envelope.TooMany, s.logins.Explain(word)
	}
	devices := make([]device.Device, len(list))
	for i := range list {
		d, code := s.verify(&list[i])
		if code != envelope.OK {
			return code, list[i].Name.String() + ": " + code.String()
		}
		devices[i] = d
	}
	grants := make([]*permission.Compiled, len(devices))
	for i := range devices {
		grants[i] = s.opts.Permissions(&devices[i])
	}
	s.mu.Lock()
	through := s.gateways[g]
	for i := range list {
		if through == nil || s.owner[list[i].Name] != through {
			s.mu.Unlock()
			return envelope.NoTopology, list[i].Name.String() + ": " + envelope.NoTopology.String()
		}
	}
	through.auto = auto
	elsewhere := make(map[*gateway][]Name)
	through.setOnline(func(online map[Name]*permission.Compiled) {
		for i := range list {
			n := list[i].Name
			if old := s.through[n]; old != nil && old != through {
				elsewhere[old] = append(elsewhere[old], n)
			}
			online[n] = grants[i]
			s.through[n] = through
		}
	})
	lost := make(map[*gateway][]*permission.Compiled)
	for old, names := range elsewhere {
		lost[old] = old.take(names)
	}
	s.mu.Unlock()
	for old, names := range elsewhere {
		s.withdraw(old, names, lost[old])
		for _, n := range names {
			s.tell(old, n, envelope.SameDevice)
		}
	}
	key := s.opts.Key(g.ProductKey, g.DeviceName)
	for i := range list {
		n := list[i].Name
		// One connection per device: a gateway's session is one, too.
		s.broker.Disconnect(s.opts.Key(n.ProductKey, n.DeviceName), "logged in through gateway "+g.String())
		// A first login activates; a failure to note that is no reason to keep the device out.
		if err := s.opts.Registry.Activate(&devices[i]); err != nil {
			s.opts.Logger.Warn("sub-device not activated", "device", n.String(), "error", err)
		}
		if auto {
			for _, filter := range grants[i].AutoSubscriptions() {
				s.broker.AddSubscription(key, filter, 1)
			}
		}
		if !s.isThrough(through, n) {
			// Whoever has ended its session meanwhile took away what was there then, and has told of it.
			s.withdraw(through, []Name{n}, grants[i:i+1])
			continue
		}
		s.changed(n, g, true)
	}
	for i := range list {
		s.recheck(through, list[i].Name)
	}
	return envelope.OK, ""
}

// isThrough reports whether a sub-device is logged in through a gateway.
func (s *Service) isThrough(g *gateway, n Name) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.through[n] == g
}

// recheck logs a sub-device out again that was disabled or deleted while it logged in: who did so has not found it
// here.
func (s *Service) recheck(through *gateway, n Name) {
	d, err := s.opts.Registry.Device(n.ProductKey, n.DeviceName)
	code := envelope.OK
	switch {
	case err != nil:
		code = envelope.DeviceDeleted
	case d.Status() == device.Disabled:
		code = envelope.DeviceDisabled
	}
	if code != envelope.OK && s.end(through, n, true) {
		s.tell(through, n, code)
	}
}

// tooLong reports whether a batch of logins or logouts has too many sub-devices.
func (s *Service) tooLong(g Name, n int) bool {
	return s.tooMany("login-batch", g, n, s.limits.LoginBatch)
}

// logout logs sub-devices out.
func (s *Service) logout(g Name, list []Name) (envelope.Code, string) {
	if s.tooLong(g, len(list)) {
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
	s.endAll(through, list, true)
	return envelope.OK, ""
}

// end is endAll for one sub-device, and reports whether it was online through that gateway.
func (s *Service) end(through *gateway, n Name, announce bool) bool {
	return len(s.endAll(through, []Name{n}, announce)) > 0
}

// endAll takes sub-devices offline and the gateway's subscriptions to their topics away. It returns those that were
// online through that gateway. announce says that their status is told: not of one that has connected by itself
// meanwhile.
func (s *Service) endAll(through *gateway, list []Name, announce bool) (ended []Name) {
	s.mu.Lock()
	for _, n := range list {
		if s.through[n] == through {
			delete(s.through, n)
			ended = append(ended, n)
		}
	}
	if len(ended) == 0 {
		s.mu.Unlock()
		return nil
	}
	grants := through.take(ended)
	s.mu.Unlock()
	s.withdraw(through, ended, grants)
	if announce {
		for _, n := range ended {
			s.changed(n, through.name, false)
		}
	}
	return ended
}

// take removes sub-devices from those that are logged in, and returns their permissions. Called with mu held.
func (g *gateway) take(list []Name) []*permission.Compiled {
	grants := make([]*permission.Compiled, len(list))
	g.setOnline(func(m map[Name]*permission.Compiled) {
		for i, n := range list {
			grants[i] = m[n]
			delete(m, n)
		}
	})
	return grants
}

// withdraw takes the subscriptions away that a gateway has for sub-devices which are not logged in any more. A gateway
// may have very many, so it goes over them once for all of the sub-devices.
func (s *Service) withdraw(g *gateway, list []Name, grants []*permission.Compiled) {
	key := s.opts.Key(g.name.ProductKey, g.name.DeviceName)
	shared := map[string]bool{g.name.ProductKey: true} // the products of which others are there still
	s.mu.RLock()
	auto := g.auto
	if online := g.online.Load(); online != nil {
		for other := range *online {
			shared[other.ProductKey] = true
		}
	}
	s.mu.RUnlock()
	for i, n := range list {
		if !auto || grants[i] == nil {
			continue
		}
		for _, filter := range grants[i].AutoSubscriptions() {
			// The product's broadcasts may be others' as well.
			if !shared[n.ProductKey] || strings.Contains(filter, "/"+n.String()) {
				s.broker.RemoveSubscription(key, filter)
			}
		}
	}
	s.broker.Reauthorize(key)
}

// revoke takes the subscriptions to sub-devices' topics away that a gateway has made when they were logged in through
// it. A gateway that is not there keeps them with its session, since messages wait for its sub-devices as they do for
// itself, and would go on hearing of a device that is not its own any more. One that is there loses what it may not have
// in withdraw.
func (s *Service) revoke(g Name, subs ...Name) {
	if len(subs) == 0 {
		return
	}
	gone := make(map[Name]bool, len(subs))
	for _, n := range subs {
		gone[n] = true
	}
	s.broker.RemoveSubscriptions(s.opts.Key(g.ProductKey, g.DeviceName), func(filter string) bool {
		t := permission.Classify([]byte(filter))
		return gone[Name{string(t.ProductKey), string(t.DeviceName)}]
	})
}

// Settle takes the subscriptions away that a gateway's session has for devices which are not its own any more: those
// that were deleted, or added by another gateway, just before the broker was killed or while none ran. It is called before
// the first message.
func (s *Service) Settle(productKey, deviceName string) {
	g := Name{productKey, deviceName}
	s.broker.RemoveSubscriptions(s.opts.Key(productKey, deviceName), func(filter string) bool {
		t := permission.Classify([]byte(filter))
		n := Name{string(t.ProductKey), string(t.DeviceName)}
		if n.DeviceName == "" || n == g {
			return false
		}
		owner, ok := s.Of(n)
		return !ok || owner != g
	})
}

// Refused says that a gateway has published for a device that is not logged in through it. If the device is
// one of its sub-devices, it is told so on /ext/error (520), but not if it answers what it was told of the device, which
// had ended the session.
func (s *Service) Refused(productKey, deviceName string, sub Name, topic []byte) {
	for _, answer := range [...]string{"/thing/disable_reply", "/thing/enable_reply", "/thing/delete_reply"} {
		if bytes.HasSuffix(topic, []byte(answer)) {
			return
		}
	}
	s.mu.RLock()
	g := s.gateways[Name{productKey, deviceName}]
	known := g != nil && s.owner[sub] == g && s.through[sub] != g
	s.mu.RUnlock()
	if known {
		s.tell(g, sub, envelope.NoSession)
	}
}

// tell tells a gateway what happened to its sub-device, on /ext/error.
func (s *Service) tell(g *gateway, n Name, code envelope.Code) {
	b, err := envelope.Marshal(struct {
		ID      string        `json:"id"`
		Code    envelope.Code `json:"code"`
		Data    Name          `json:"data"`
		Message string        `json:"message"`
	}{s.nextID(), code, n, code.String()})
	if err == nil {
		s.publish("/ext/error/"+g.name.String(), b)
	}
}

// request sends a request about a sub-device to its gateway, on the sub-device's topic. The gateway need not
// have subscribed to it: while the sub-device is not logged in it may not.
func (s *Service) request(g, n Name, path string, params any) {
	payload, err := envelope.Ask(s.id(), "thing."+strings.TrimPrefix(path, "thing/"), params)
	if err == nil {
		err = s.broker.Deliver(context.Background(), s.opts.Key(g.ProductKey, g.DeviceName), "/sys/"+n.String()+"/"+path, payload, 0)
	}
	if err != nil {
		s.opts.Logger.Debug("gateway not told", "gateway", g.String(), "device", n.String(), "request", path, "error", err)
	}
}

// id numbers what is sent to gateways: decimal, up to 4,294,967,295.
func (s *Service) id() uint64 { return uint64(s.ids.Add(1)) }

func (s *Service) nextID() string { return strconv.FormatUint(s.id(), 10) }

func (s *Service) publish(topic string, payload []byte) {
	if _, err := s.broker.Publish(context.Background(), topic, payload, 0); err != nil {
		s.opts.Logger.Debug("gateway answer not sent", "topic", topic, "error", err)
	}
}
