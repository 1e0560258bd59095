package gateway

import (
	"encoding/json"

	"sampan/broker/alink/envelope"
	"sampan/broker/credential"
	"sampan/broker/device"
)

// Sub-devices get their secrets through a gateway. They have been made before, under the names by which it asks.
// Nobody but a gateway may ask: who asks for a device that was not active yet has its secret.

const notOfGateways = "the product's devices are not gateways"

// mayRegister reports whether a device may ask for the secrets of others.
func (s *Service) mayRegister(g Name) bool {
	p, err := s.opts.Registry.Product(g.ProductKey)
	return err == nil && p.NodeType == device.Gateway
}

// registered is what a gateway is told of a sub-device.
type registered struct {
	Name
	DeviceSecret string `json:"deviceSecret"`
	IotID        string `json:"iotId"`
}

// register gives secrets to sub-devices of products that allow dynamic registration: all of the request or none. A
// gateway may ask again for those in its topology; others must not have been active yet.
func (s *Service) register(g Name, params json.RawMessage) (envelope.Code, string, any) {
	if !s.mayRegister(g) {
		return envelope.RequestError, notOfGateways, nil
	}
	list, code := readNames(params)
	if code != envelope.OK {
		return code, "", nil
	}
	if s.tooManyToRegister(g, len(list)) {
		return envelope.TooOften, "", nil
	}
	out := make([]registered, 0, len(list))
	for _, n := range list {
		d, code := s.registerOne(g, n)
		if code != envelope.OK {
			return code, "", nil
		}
		out = append(out, registered{n, string(d.Secret()), d.IotID()})
	}
	return envelope.OK, "", out
}

// proxied is a sub-device in a request that is signed with the secret of its product.
type proxied struct {
	Name
	Random     string `json:"random"`
	SignMethod string `json:"signMethod"`
	Sign       string `json:"sign"`
}

// registerProxied is register for sub-devices each of which is signed with its product's secret, as the C SDK 4 and
// the Android SDK ask for them: {"proxieds":[...]}. Each is registered or not by itself.
func (s *Service) registerProxied(g Name, params json.RawMessage) (envelope.Code, string, any) {
	if !s.mayRegister(g) {
		return envelope.RequestError, notOfGateways, nil
	}
	var q struct {
		Proxieds []proxied `json:"proxieds"`
	}
	if json.Unmarshal(params, &q) != nil || len(q.Proxieds) == 0 {
		return envelope.ParamError, "", nil
	}
	if s.tooManyToRegister(g, len(q.Proxieds)) {
		return envelope.TooOften, "", nil
	}
	type failure struct {
		Name
		Code    envelope.Code `json:"code"`
		Message string        `json:"message"`
	}
	successes, failures := []registered{}, []failure{}
	for i := range q.Proxieds {
		n := q.Proxieds[i].Name
		code := s.verifyProduct(&q.Proxieds[i])
		var d device.Device
		if code == envelope.OK {
			d, code = s.registerOne(g, n)
		}
		if code == envelope.OK {
			successes = append(successes, registered{n, string(d.Secret()), d.IotID()})
		} else {
			failures = append(failures, failure{n, code, code.String()})
		}
	}
	return envelope.OK, "", map[string]any{"successes": successes, "failures": failures}
}

// verifyProduct checks a signature made with the secret of a sub-device's product.
func (s *Service) verifyProduct(d *proxied) envelope.Code {
	p, err := s.opts.Registry.Product(d.ProductKey)
	if err != nil {
		return envelope.NoProduct
	}
	method, ok := credential.ParseMethod(d.SignMethod)
	if !ok {
		return envelope.BadSignMethod
	}
	content := credential.RegistrationContent{
		DeviceName: []byte(d.DeviceName), ProductKey: []byte(d.ProductKey), Random: []byte(d.Random),
	}
	if p.Secret == "" || !method.Matches([]byte(d.Sign), []byte(p.Secret), content.AppendTo(nil)) {
		return envelope.BadSign
	}
	return envelope.OK
}

// tooManyToRegister reports whether a request asks for too many sub-devices.
func (s *Service) tooManyToRegister(g Name, n int) bool {
	return s.tooMany("sub-register-batch", g, n, s.limits.SubRegisterBatch)
}

func (s *Service) registerOne(g, n Name) (d device.Device, code envelope.Code) {
	p, err := s.opts.Registry.Product(n.ProductKey)
	if err != nil {
		return d, envelope.NoProduct
	}
	if !p.DynamicRegistration || p.AuthType != device.BySecret {
		return d, envelope.NoRegistration
	}
	s.mu.RLock()
	owner := s.owner[n]
	s.mu.RUnlock()
	if owner != nil && owner.name != g {
		return d, envelope.BoundElsewhere
	}
	d, err = s.opts.Registry.Device(n.ProductKey, n.DeviceName)
	switch {
	case err != nil:
		return d, envelope.NoDevice
	case d.Status() == device.Disabled:
		return d, envelope.Forbidden
	case owner == nil && d.Status() != device.Unactivated:
		return d, envelope.AlreadyActive
	}
	return d, envelope.OK
}
