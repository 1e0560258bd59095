package platform

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
	"time"

	"sampan/broker"
	"sampan/broker/alink"
	"sampan/broker/credential"
	"sampan/broker/device"
	"sampan/broker/gateway"
	"sampan/broker/ledger"
	"sampan/broker/permission"
	"sampan/broker/quota"
	"sampan/broker/rrpc"
	"sampan/packet"
)

// Options configure a Platform. Registry is required; the zero values of the others are the platform's
// behaviour.
type Options struct {
	Registry *device.Registry

	// Quantities is the table of limits. nil: quota.Platform().
	Quantities *quota.Limits

	// MatchChannel refuses a securemode that does not match the channel; PlainRegistration allows dynamic
	// registration over an unencrypted channel. See credential.Verifier.
	MatchChannel      bool
	PlainRegistration bool

	// Permissions are what years and pages differ in about topics.
	Permissions permission.Options

	// Interceptor sees the messages that no part of the platform takes. nil: none.
	Interceptor broker.Interceptor
	// Observer is told everything that the broker tells. nil: none.
	Observer broker.Observer

	// Ledger is where what is known of devices beside the Registry is kept: properties, shadows, topologies,
	// tickets. The Platform does not close it. nil: one in memory.
	Ledger *ledger.Ledger

	// Alink answers the devices' requests for services. Registry, Ledger, Quantities, Meter, Downlink, Now and
	// Logger are filled in. NoAlink leaves the whole layer out: its topics are then routed like others.
	Alink   alink.Options
	NoAlink bool

	// RRPCQoS is the QoS of the requests to devices.
	RRPCQoS byte

	Logger *slog.Logger // nil: slog.Default()
	Clock  broker.Clock // nil: the system's
}

// Platform is the platform's behaviour for one broker.
type Platform struct {
	opts     Options
	registry *device.Registry
	ledger   *ledger.Ledger
	verifier credential.Verifier
	tables   tables
	limiters limiters
	meter    quota.Meter

	broadcasts broadcasts
	ids        *rrpc.IDs
	calls      *rrpc.Caller
	alink      *alink.Service // nil: none
	gateways   *gateway.Service
	broker     *broker.Broker
	changes    changes
}

// New returns a Platform. Broker makes its broker.
func New(o Options) *Platform {
	if o.Quantities == nil {
		o.Quantities = quota.Platform()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Clock == nil {
		o.Clock = broker.SystemClock
	}
	if o.Ledger == nil {
		o.Ledger = ledger.New(ledger.Options{})
	}
	p := &Platform{opts: o, registry: o.Registry, ledger: o.Ledger, meter: quota.Meter{Logger: o.Logger}}
	p.tables.registry, p.tables.options = o.Registry, o.Permissions
	p.verifier = credential.Verifier{
		Directory:         directory{p},
		MatchChannel:      o.MatchChannel,
		PlainRegistration: o.PlainRegistration,
	}
	p.limiters.prepare(o.Quantities)
	p.ids = rrpc.NewIDs(o.Clock)
	p.calls = rrpc.New(rrpc.Options{
		IDs: p.ids,
		// Zero, no limit in the table, would be a default there.
		MinTimeout: cmp.Or(o.Quantities.RRPCTimeoutMin, 1), MaxTimeout: cmp.Or(o.Quantities.RRPCTimeoutMax, math.MaxInt64),
		QoS: o.RRPCQoS, Logger: o.Logger, Clock: o.Clock,
	})
	p.gateways = gateway.New(gateway.Options{
		Registry: p.registry,
		Permissions: func(d *device.Device) *permission.Compiled {
			return p.tables.of(d.Product()).For(d.Product().Key, string(d.Name()), true)
		},
		Key: Key, Changed: p.subDeviceChanged, Notify: p.subDevicesNoted,
		Ledger: o.Ledger, Quantities: o.Quantities, Meter: &p.meter,
		Now: o.Clock.Now, Logger: o.Logger,
	})
	if !o.NoAlink {
		p.alink = alink.New(p.alinkOptions())
	}
	return p
}

func (p *Platform) alinkOptions() alink.Options {
	o := p.opts.Alink
	o.Registry, o.Ledger, o.Quantities, o.Meter = p.registry, p.ledger, p.opts.Quantities, &p.meter
	o.Downlink = p.Downlink
	o.MayPostFor = func(productKey, deviceName, subProduct, subDevice string) bool {
		g, ok := p.gateways.Through(subProduct, subDevice)
		return ok && g == gateway.Name{ProductKey: productKey, DeviceName: deviceName}
	}
	o.Now, o.Logger = p.opts.Clock.Now, p.opts.Logger
	return o
}

// Broker makes a broker that behaves as the platform does. Of the options those that are zero take the
// platform's quantities; Authenticator, Interceptor and Observer are the Platform's own and must be nil.
func (p *Platform) Broker(o broker.Options) (*broker.Broker, error) {
	if o.Authenticator != nil || o.Interceptor != nil || o.Observer != nil {
		return nil, errors.New("platform: Authenticator, Interceptor and Observer belong to the Platform; set those in platform.Options")
	}
	q := p.opts.Quantities
	o.Profile = broker.Platform
	o.Authenticator, o.Interceptor, o.Observer = p, p, p
	if o.Clock == nil {
		o.Clock = p.opts.Clock
	}
	if o.Logger == nil {
		o.Logger = p.opts.Logger
	}
	if o.Limits == nil {
		l := packet.DefaultLimits()
		l.Payload, l.Topic = int(q.Payload), int(q.TopicLength)
		l.Slashes, l.Filters = q.TopicSlashes, q.FiltersPerSubscribe
		o.Limits = &l
	}
	if err := p.recover(); err != nil {
		return nil, err
	}
	take(&o.MaxSubscriptions, q.Subscriptions)
	take(&o.Window, q.InFlight)
	take(&o.MessageExpiry, q.Storage)
	take(&o.KeepAliveMin, q.KeepAliveMin)
	take(&o.KeepAliveMax, q.KeepAliveMax)
	b, err := broker.New(o)
	if err != nil {
		return nil, err
	}
	p.broker = b
	p.calls.Use(b)
	p.gateways.Use(b)
	if p.alink != nil {
		p.alink.Use(b)
		p.alink.Watch(p.posted) // for as long as both live
		p.alink.WatchAnswers(p.answered)
	}
	p.discardLeftover()
	p.changes.start(p)
	return b, nil
}

// take sets an option that is zero from the table, where zero means no limit.
func take[T int | time.Duration](option *T, quantity T) {
	if *option == 0 {
		if *option = quantity; quantity <= 0 {
			*option = broker.Unlimited
		}
	}
}

// Close stops what the Platform does beside the broker. Registry and ledger stay open: they are the caller's.
func (p *Platform) Close() { p.changes.stop() }

// Key is the key of a device's session in the broker.
func Key(productKey, deviceName string) string { return productKey + "/" + deviceName }

// SessionKey is the key of the session through which a device is reached: its own, or that of the gateway
// through which it is logged in.
func (p *Platform) SessionKey(productKey, deviceName string) string {
	if g, ok := p.gateways.Through(productKey, deviceName); ok {
		return Key(g.ProductKey, g.DeviceName)
	}
	return Key(productKey, deviceName)
}

// Gateways is the part that lets gateways act for their sub-devices.
func (p *Platform) Gateways() *gateway.Service { return p.gateways }

// RRPC calls a device and returns its answer. The error tells by rrpc.CodeOf why there is none. topic is
// empty for the system topics. A timeout of 0 is the longest there may be; without a limit on it the call ends with
// ctx. The error is a *quota.Exceeded if too many messages are sent to the device.
func (p *Platform) RRPC(ctx context.Context, productKey, deviceName string, request []byte, topic string, timeout time.Duration) (rrpc.Answer, error) {
	d, err := p.registry.Device(productKey, deviceName)
	if err != nil {
		return rrpc.Answer{}, err
	}
	if err := p.Downlink(&d); err != nil {
		return rrpc.Answer{}, err
	}
	return p.calls.Call(ctx, rrpc.Request{
		ProductKey: productKey, DeviceName: deviceName, Key: p.SessionKey(productKey, deviceName),
		Payload: request, Topic: topic, Timeout: timeout,
	})
}

// ServiceTopic is the topic on which a device is called for a synchronous service: empty for the system's RRPC
// topics, to which the Node SDK and the C SDK 3 listen, and the service's own as a custom-topic RRPC for a device
// that takes those and subscribes nothing, as the C SDK 4 does (ext bit 0 and _ss=1).
func (p *Platform) ServiceTopic(productKey, deviceName, identifier string) string {
	info, ok := p.broker.Client(p.SessionKey(productKey, deviceName))
	if !ok || !info.Connected {
		return ""
	}
	var id credential.ClientIdentifier
	if id.Parse([]byte(info.ClientID)) != nil || !id.CustomRRPC || !id.AutoSubscribe {
		return ""
	}
	return "/sys/" + productKey + "/" + deviceName + "/thing/service/" + identifier
}

// Services is the part that answers the devices' requests, or nil.
func (p *Platform) Services() *alink.Service { return p.alink }

// IDs numbers calls and messages.
func (p *Platform) IDs() *rrpc.IDs { return p.ids }

// Calls is the part that calls devices, for its statistics.
func (p *Platform) Calls() *rrpc.Caller { return p.calls }

// Wants is part of broker.Interceptor.
func (p *Platform) Wants(topic []byte) bool {
	return p.calls.Wants(topic) || p.gateways.Wants(topic) || p.alink != nil && p.alink.Wants(topic) || p.opts.Interceptor != nil && p.opts.Interceptor.Wants(topic)
}

// Prompt is part of broker.PromptInterceptor: answers to calls are handed over at once.
func (p *Platform) Prompt(topic []byte) bool { return p.calls.Wants(topic) }

// Intercept is part of broker.Interceptor.
func (p *Platform) Intercept(from *broker.Principal, m *packet.Publish) bool {
	if p.calls.Intercept(from, m) {
		return true
	}
	if p.gateways.Wants(m.Topic) {
		return p.gateways.Intercept(from, m)
	}
	if p.alink != nil && p.alink.Wants(m.Topic) && p.alink.Intercept(from, m) {
		return true
	}
	i := p.opts.Interceptor
	return i != nil && i.Wants(m.Topic) && i.Intercept(from, m)
}

// Observe is part of broker.Observer.
func (p *Platform) Observe(e broker.Event) {
	p.calls.Observe(e)
	if e.Limit != 0 && e.Kind != broker.PublishRefused { // those are counted where they are refused
		p.meter.Count(e.Rule)
	}
	if pk, dn, ok := deviceOf(e.Client); ok {
		switch e.Kind {
		case broker.Connected:
			p.gateways.Connected(pk, dn)
			p.recheck(pk, dn)
		case broker.Disconnected:
			p.gateways.Disconnected(pk, dn)
		}
		p.announce(e, pk, dn)
	}
	if p.opts.Observer != nil {
		p.opts.Observer.Observe(e)
	}
}

// MayReceive reports whether a device could be sent a message on this topic, whatever it has subscribed to.
func (p *Platform) MayReceive(productKey, deviceName, topic string) bool {
	d, err := p.registry.Device(productKey, deviceName)
	if err != nil {
		return false
	}
	return p.tables.of(d.Product()).For(productKey, deviceName, true).MayReceive([]byte(topic))
}

// Ledger is where what is known of devices beside the registry is kept.
func (p *Platform) Ledger() *ledger.Ledger { return p.ledger }
