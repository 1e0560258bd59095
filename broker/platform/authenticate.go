package platform

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"sampan/broker"
	"sampan/broker/credential"
	"sampan/broker/device"
	"sampan/broker/quota"
	"sampan/packet"
	"sampan/session"
)

// Authenticate is part of broker.Authenticator: it checks a CONNECT's signature, or what its channel has
// proved, against the registry.
func (p *Platform) Authenticate(_ context.Context, r *broker.ConnectRequest) (*broker.Principal, error) {
	proof := p.show(&r.Channel)
	if proof.refusal != nil {
		return nil, proof.refusal
	}
	username := []byte(r.Username)
	if proof.by == credential.ProofCertificate && (r.Username == "" || r.Username == "&") {
		// A device that has a certificate need not know its own names yet: it is told them (platform: X.509).
		username = []byte(proof.username())
	}
	by := credential.NoProof
	if pk, dn, ok := credential.ParseUsername(username); ok && proof.device() {
		if !proof.is(pk, dn) {
			return nil, proof.differs(r.Username)
		}
		by = p.counts(&proof, pk)
	}
	var login credential.Login
	err := p.verifier.Verify(&credential.Connect{
		ClientID:  []byte(r.ClientID),
		Username:  username,
		Password:  r.Password,
		Encrypted: r.Channel.Security != broker.Plain,
		Proof:     by,
	}, &login)
	if err != nil {
		var refusal *credential.Refusal
		if errors.As(err, &refusal) {
			return nil, &broker.Refusal{Code: packet.ReturnCode(refusal.Code()), Rule: refusal.Part.String(), Detail: refusal.Error()}
		}
		return nil, err
	}
	if proof.device() && !proof.is(login.ProductKey, login.DeviceName) {
		// The user name was a ticket, which stands for another device.
		return nil, proof.differs(string(login.DeviceName) + "&" + string(login.ProductKey))
	}
	if login.Registers() {
		return p.register(&login)
	}
	d, err := p.registry.Lookup(login.ProductKey, login.DeviceName)
	if err != nil {
		return nil, &broker.Refusal{Code: packet.RefusedUnavailable, Rule: "directory", Detail: err.Error()}
	}
	if !suffices(d.Product().AuthType, by) {
		return nil, insufficient(&d, by)
	}
	if refusal := p.limitConnects(&d); refusal != nil {
		return nil, refusal
	}
	if err := p.registry.Activate(&d); err != nil {
		return nil, &broker.Refusal{Code: packet.RefusedUnavailable, Rule: "directory", Detail: err.Error()}
	}
	principal := p.principal(&d, &login)
	if by == credential.ProofCertificate {
		principal.Lifetime = proof.lifetime(p.opts.Clock.Now())
		principal.Welcome = []broker.Message{identity(proof.productKey, proof.deviceName)}
	}
	return principal, nil
}

// identity tells a device that has come with a certificate which device it is (platform: X.509).
func identity(productKey, deviceName string) broker.Message {
	return broker.Message{Topic: "/ext/auth/identity/response", Payload: compact(struct {
		ProductKey string `json:"productKey"`
		DeviceName string `json:"deviceName"`
	}{productKey, deviceName})}
}

// limitConnects keeps a device from connecting too often. Only logins that were good count: otherwise a
// stranger could lock a device out.
func (p *Platform) limitConnects(d *device.Device) *broker.Refusal {
	now := p.opts.Clock.Now().UnixNano()
	for _, each := range []struct {
		item quota.Item
		rate *limited
		word *atomic.Uint64
	}{
		{quota.Connects, &p.limiters.connects, d.Word(device.ForConnects)},
		{quota.AccountConnects, &p.limiters.accountConnects, &p.limiters.allConnects},
	} {
		if !each.rate.AllowShared(each.word, now, 1) {
			word := each.word.Load()
			return &broker.Refusal{Code: packet.RefusedUnavailable, Rule: each.item.String(), Detail: each.rate.Explain(word),
				Limit: each.rate.limit, Value: int64(each.rate.Current(word))}
		}
	}
	return nil
}

// principal is what the broker is to know of a device that has logged in.
func (p *Platform) principal(d *device.Device, login *credential.Login) *broker.Principal {
	pk, dn := d.Product().Key, string(d.Name())
	who := &Device{
		ProductKey: pk,
		DeviceName: dn,
		CustomRRPC: login.CustomRRPC,
		grant:      p.tables.of(d.Product()).For(pk, dn, login.CustomRRPC),
		subs:       p.gateways.View(pk, dn),
		quiet:      login.AutoSubscribe,
		platform:   p,
	}
	principal := &broker.Principal{
		Key:        Key(pk, dn),
		Authorizer: who,
		Quota:      &uplink{all: &p.limiters, meter: &p.meter},

		MaxUnacknowledged: p.opts.Quantities.Unacknowledged,
	}
	if login.AutoSubscribe {
		for _, filter := range who.grant.AutoSubscriptions() {
			if v := who.roomFor([]byte(filter)); !v.OK {
				p.meter.Refused(v.Rule, principal.Key, v.Limit, v.Value)
				continue
			}
			principal.Subscriptions = append(principal.Subscriptions, session.Subscription{Filter: filter, QoS: 1})
		}
	}
	return principal
}

// register answers a dynamic registration: the connection carries the secret, or the token, to the device
// and nothing else.
func (p *Platform) register(login *credential.Login) (*broker.Principal, error) {
	pk, dn := string(login.ProductKey), string(login.DeviceName)
	refuse := func(err error) (*broker.Principal, error) {
		code, rule := packet.RefusedUnavailable, "directory"
		if !errors.Is(err, device.ErrClosed) {
			code, rule = packet.RefusedCredentials, credential.PartRegistration.String()
		}
		return nil, &broker.Refusal{Code: code, Rule: rule, Detail: err.Error()}
	}
	var welcome broker.Message
	if login.AuthType == credential.AuthRegister {
		d, err := p.registry.Register(login.ProductKey, login.DeviceName)
		if err != nil {
			return refuse(err)
		}
		welcome = broker.Message{Topic: "/ext/register", Payload: compact(struct {
			ProductKey   string `json:"productKey"`
			DeviceName   string `json:"deviceName"`
			DeviceSecret string `json:"deviceSecret"`
		}{pk, dn, string(d.Secret())})}
	} else {
		t, err := p.registry.RegisterNew(pk, dn)
		if err != nil {
			return refuse(err)
		}
		// The C SDK 4 takes this answer on /ext/regnwl only.
		welcome = broker.Message{Topic: "/ext/regnwl", Payload: compact(struct {
			ProductKey  string `json:"productKey"`
			DeviceName  string `json:"deviceName"`
			ClientID    string `json:"clientId"`
			DeviceToken string `json:"deviceToken"`
		}{pk, dn, t.ClientID, t.Token})}
	}
	return &broker.Principal{
		Key:        strings.Join([]string{"register", pk, dn, unique()}, "/"),
		Authorizer: nobody{},
		KeepAlive:  -1, // not checked on such a connection
		Ephemeral:  true,
		Lifetime:   p.opts.Quantities.RegistrationLinger,
		Welcome:    []broker.Message{welcome},
	}, nil
}
