package gateway

import (
	"encoding/json"
	"strings"

	"sampan/broker"
	"sampan/broker/alink/envelope"
	"sampan/packet"
)

// Wants is part of broker.Interceptor.
func (s *Service) Wants(topic []byte) bool {
	_, _, ok := classify(string(topic))
	return ok
}

// Intercept is part of broker.Interceptor: it answers a gateway's requests about its sub-devices.
func (s *Service) Intercept(from *broker.Principal, p *packet.Publish) bool {
	name := string(p.Topic)
	g, what, ok := classify(name)
	if !ok {
		return false
	}
	if strings.HasSuffix(what, "_reply") {
		return true // of the gateway, to what it was told
	}
	r, code := envelope.Parse(p.Payload)
	message, data := "", any(nil)
	switch {
	case code != envelope.OK:
	case from.Key != s.opts.Key(g.ProductKey, g.DeviceName):
		code, message = envelope.RequestError, "a sub-device has none of its own"
	default:
		code, message, data = s.handle(g, what, r.Params, len(from.Subscriptions) > 0)
	}
	if method, isThing := strings.CutPrefix(what, "thing/"); isThing {
		r.Method = envelope.MethodOf(method)
	}
	if code != envelope.OK {
		s.refuse(g, what, code, message)
	}
	if r.NoReply {
		return true
	}
	answer := envelope.Reply(r, code, message, data)
	r.Params = nil // a view
	// A change of the topology is confirmed when it holds.
	s.ledger.Sync(func(err error) {
		if err != nil {
			answer = envelope.Reply(r, envelope.SystemError, "", nil)
		}
		s.publish(name+"_reply", answer)
	})
	return true
}

// refuse logs a request that was not done, sparsely.
func (s *Service) refuse(g Name, what string, code envelope.Code, message string) {
	if n := s.refused.Add(1); n&(n-1) == 0 {
		s.opts.Logger.Info("gateway request refused", "gateway", g.String(), "request", what, "code", int(code), "detail", message, "count", n)
	}
}

// handle does what is asked for.
func (s *Service) handle(g Name, what string, params json.RawMessage, auto bool) (code envelope.Code, message string, data any) {
	switch what {
	case "thing/topo/add":
		code, data = s.addTopology(g, params)
	case "thing/topo/delete":
		code, data = s.deleteTopology(g, params)
	case "thing/topo/get":
		s.mu.Lock()
		code, data = envelope.OK, s.subDevices(g)
		s.mu.Unlock()
	case "thing/sub/register":
		code, message, data = s.register(g, params)
	case "thing/proxy/provisioning/product_register":
		code, message, data = s.registerProxied(g, params)
	case "thing/sub/unregister":
		code, data = s.unregister(g, params)
	case "thing/list/found":
		list, bad := readNames(params)
		if code = bad; bad == envelope.OK {
			s.opts.Logger.Debug("gateway found devices", "gateway", g.String(), "devices", len(list))
			s.notify(Found, g, list...)
		}
	case "combine/login", "combine/batch_login":
		code, message, data = s.combineLogin(g, auto, what == "combine/batch_login", params)
	case "combine/logout", "combine/batch_logout":
		var list []Name
		if list, code = readNames(params); code == envelope.OK {
			code, message = s.logout(g, list)
			data = answerNames(list, what == "combine/batch_logout")
		}
	default:
		code = envelope.NotAlink
	}
	if code != envelope.OK {
		data = nil
	}
	return code, message, data
}

// combineLogin logs in one sub-device, or a batch: {"deviceList":[...],"signMethod":...}. In a batch the sign
// method may stand beside the list, for all of it.
func (s *Service) combineLogin(g Name, auto, batch bool, params json.RawMessage) (envelope.Code, string, any) {
	var list []signed
	if batch {
		var q struct {
			SignMethod string   `json:"signMethod"`
			DeviceList []signed `json:"deviceList"`
		}
		if json.Unmarshal(params, &q) != nil || len(q.DeviceList) == 0 {
			return envelope.ParamError, "", nil
		}
		for i := range q.DeviceList {
			if q.DeviceList[i].SignMethod == "" {
				q.DeviceList[i].SignMethod = q.SignMethod
			}
		}
		list = q.DeviceList
	} else {
		var code envelope.Code
		if list, code = readList[signed](params); code != envelope.OK || len(list) != 1 {
			return envelope.ParamError, "", nil
		}
	}
	names := make([]Name, len(list))
	for i := range list {
		names[i] = list[i].Name
	}
	code, message := s.login(g, auto, list)
	return code, message, answerNames(names, batch)
}

// answerNames is the data of an answer about sub-devices: a list for a batch, otherwise the one.
func answerNames(list []Name, batch bool) any {
	if batch {
		return list
	}
	return list[0]
}

// classify says which gateway a request is from and what is asked for: the part behind /thing/ or /combine/.
func classify(topic string) (g Name, what string, ok bool) {
	if rest, isExt := strings.CutPrefix(topic, "/ext/session/"); isExt {
		g, what, ok = split(rest)
		return g, what, ok && strings.HasPrefix(what, "combine/")
	}
	rest, isSys := strings.CutPrefix(topic, "/sys/")
	if !isSys {
		return g, "", false
	}
	if g, what, ok = split(rest); !ok {
		return g, "", false
	}
	path, isThing := strings.CutPrefix(what, "thing/")
	ok = isThing && (strings.HasPrefix(path, "topo/") || strings.HasPrefix(path, "sub/") || path == "list/found" ||
		strings.HasPrefix(path, "gateway/") || strings.HasPrefix(path, "proxy/"))
	return g, what, ok
}

// split cuts productKey and deviceName off the front.
func split(s string) (n Name, rest string, ok bool) {
	var ok1, ok2 bool
	n.ProductKey, s, ok1 = strings.Cut(s, "/")
	n.DeviceName, rest, ok2 = strings.Cut(s, "/")
	return n, rest, ok1 && ok2
}
