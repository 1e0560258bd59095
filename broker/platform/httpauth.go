package platform

import (
	"errors"
	"net/http"
	"net/url"

	"sampan/broker/credential"
	"sampan/broker/device"
)

// Endpoint is where devices are told to connect after they have authenticated over HTTP. Without a Host it is
// the one that the device has used for that.
type Endpoint struct {
	Host string
	Port int
}

// The result codes of authentication over HTTP. (platform: facts, sections 1.6 and 6)
const (
	authOK              = 200
	authParam           = 460
	authSystem          = 500
	authNoProduct       = 6250
	authNoDevice        = 6100
	authDisabled        = 6204
	authOff             = 6288
	authActive          = 6289
	authMethod          = 6292
	authBadSign         = 6600
	maxAuthForm   int64 = 16 << 10
)

// AuthHandler answers what devices ask of the platform's authentication service over HTTP:
// /auth/register/device (one product, one secret) and /auth/devicename (the authentication before MQTT of
// 2018). endpoint is what the latter names.
func (p *Platform) AuthHandler(endpoint Endpoint) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /auth/register/device", p.authAnswer(p.httpRegister))
	mux.HandleFunc("POST /auth/devicename", p.authAnswer(func(r *http.Request) (int, string, any) {
		return p.httpTicket(r, endpoint)
	}))
	return mux
}

// authAnswer wraps what a request comes to in its envelope.
func (p *Platform) authAnswer(f func(*http.Request) (code int, message string, data any)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxAuthForm)
		code, message, data := authParam, "the form cannot be read, or is too large", any(nil)
		if r.ParseForm() == nil {
			code, message, data = f(r)
		}
		if code != authOK {
			p.opts.Logger.Warn("http authentication refused", "path", r.URL.Path, "addr", r.RemoteAddr,
				"product", brief(r.Form.Get("productKey")), "device", brief(r.Form.Get("deviceName")), "code", code, "detail", message)
		}
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		w.Write(compact(struct {
			Code    int    `json:"code"`
			Data    any    `json:"data,omitempty"`
			Message string `json:"message"`
		}{code, data, message}))
	}
}

// brief cuts what a stranger has sent to a length that a log can bear.
func brief(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}

// httpRegister gives a device its secret for a signature with its product's.
func (p *Platform) httpRegister(r *http.Request) (int, string, any) {
	pk, dn, random := r.Form.Get("productKey"), r.Form.Get("deviceName"), r.Form.Get("random")
	if pk == "" || dn == "" || random == "" || r.Form.Get("sign") == "" {
		return authParam, "productKey, deviceName, random and sign are mandatory", nil
	}
	method, ok := credential.ParseMethod(r.Form.Get("signMethod"))
	if !ok {
		return authMethod, "signMethod is hmacmd5, hmacsha1 or hmacsha256", nil
	}
	product, err := p.registry.Product(pk)
	if err != nil {
		return authNoProduct, "the product does not exist", nil
	}
	content := credential.RegistrationContent{DeviceName: []byte(dn), ProductKey: []byte(pk), Random: []byte(random)}
	if !method.Matches([]byte(r.Form.Get("sign")), []byte(product.Secret), content.AppendTo(nil)) {
		return authBadSign, "the signature is wrong", nil
	}
	d, err := p.registry.Register([]byte(pk), []byte(dn))
	switch {
	case errors.Is(err, device.ErrRegistrationOff):
		return authOff, "dynamic registration is off for the product", nil
	case errors.Is(err, device.ErrActive):
		return authActive, "the device is active already", nil
	case errors.Is(err, device.ErrNoDevice):
		return authNoDevice, "the device does not exist", nil
	case errors.Is(err, device.ErrDisabled):
		return authDisabled, "the device is disabled", nil
	case err != nil:
		return authSystem, "system error", nil
	}
	return authOK, "success", struct {
		ProductKey   string `json:"productKey"`
		DeviceName   string `json:"deviceName"`
		DeviceSecret string `json:"deviceSecret"`
	}{pk, dn, string(d.Secret())}
}

// httpTicket gives a device the iotId and iotToken with which it then connects.
func (p *Platform) httpTicket(r *http.Request, endpoint Endpoint) (int, string, any) {
	pk, dn, sign := r.Form.Get("productKey"), r.Form.Get("deviceName"), r.Form.Get("sign")
	if pk == "" || dn == "" || sign == "" || r.Form.Get("clientId") == "" {
		return authParam, "productKey, deviceName, clientId and sign are mandatory", nil
	}
	method := credential.HMACMD5
	if name := r.Form.Get("signmethod"); name != "" {
		var ok bool
		if method, ok = credential.ParseMethod(name); !ok {
			return authMethod, "signmethod is hmacmd5, hmacsha1 or hmacsha256", nil
		}
	}
	d, err := p.registry.Device(pk, dn)
	if errors.Is(err, device.ErrNoProduct) {
		return authNoProduct, "the product does not exist", nil
	}
	if err != nil {
		return authNoDevice, "the device does not exist", nil
	}
	content := credential.Content{ClientID: []byte(r.Form.Get("clientId")), DeviceName: []byte(dn), ProductKey: []byte(pk)}
	if t := r.Form.Get("timestamp"); t != "" {
		content.Timestamp = []byte(t)
	}
	if !method.Matches([]byte(sign), d.Secret(), content.AppendTo(nil)) {
		return authBadSign, "the signature is wrong", nil
	}
	if d.Status() == device.Disabled {
		return authDisabled, "the device is disabled", nil
	}
	type mqtt struct {
		Host string `json:"host"`
		Port int    `json:"port"`
	}
	id := d.IotID()
	if endpoint.Host == "" {
		endpoint.Host = (&url.URL{Host: r.Host}).Hostname()
	}
	token, err := p.issueTicket(id)
	if err != nil {
		p.opts.Logger.Error("a ticket cannot be given out", "error", err)
		return authSystem, "system error", nil
	}
	return authOK, "success", struct {
		IotID     string          `json:"iotId"`
		IotToken  string          `json:"iotToken"`
		Resources map[string]mqtt `json:"resources"`
	}{id, token, map[string]mqtt{"mqtt": {endpoint.Host, endpoint.Port}}}
}
