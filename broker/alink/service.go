package alink

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sampan/broker"
	"sampan/broker/alink/envelope"
	"sampan/broker/device"
	"sampan/broker/ledger"
	"sampan/broker/quota"
	"sampan/packet"
)

// Publisher sends a message to its subscribers; a *broker.Broker is one.
type Publisher interface {
	Publish(ctx context.Context, topic string, payload []byte, qos byte) (receivers int, err error)
}

// Options configure a Service. Zero values mean the platform's numbers.
type Options struct {
	Registry *device.Registry // required

	// Handle sees each request before the Service does. If it returns true it has answered, or does not
	// want to, and the Service leaves the message alone. nil: none.
	Handle func(productKey, deviceName, topic string, payload []byte) bool

	// Pass routes the messages on to other subscribers as well, after they were answered: a server within
	// the process then receives posts by subscribing to their topics.
	Pass bool

	// Config returns a product's configuration file, or nil. nil: no product has one.
	Config func(productKey string) *ConfigFile
	// Firmware returns what a device is to be upgraded to, or nil. nil: no device is.
	Firmware func(productKey, deviceName, module, version string) *Firmware

	// Ledger is where what the Service knows of devices is kept: properties, desired ones, shadows, versions.
	// The Service does not close it. nil: one in memory.
	Ledger *ledger.Ledger
	// Quantities are the limits on what devices ask for. nil: quota.Platform().
	Quantities *quota.Limits
	// Meter is told what the limits refuse. nil: one that only logs.
	Meter *quota.Meter
	// Downlink accounts each message that a server sends to a device; its error refuses it. nil: no limit.
	Downlink func(d *device.Device) error
	// MayPostFor reports whether a gateway may post for a sub-device. nil: for none.
	MayPostFor func(productKey, deviceName, subProduct, subDevice string) bool

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default()
}

// Service answers the devices' requests.
type Service struct {
	opts   Options
	limits quota.Limits
	out    Publisher
	kept   kept
	calls  calls
	watch  watchList
	stats  Stats

	shadowLimiter quota.Limiter

	// asking is held while what is desired is read and sent to a device, so that it is sent in the order in which it
	// was set. That waits for nobody.
	asking sync.Mutex
}

// Stats counts requests; each field is added to atomically.
type Stats struct {
	Requests atomic.Uint64
	Refused  atomic.Uint64 // answered with a code other than 200
	Events   atomic.Uint64 // handed to watchers
	Failures atomic.Uint64 // nothing could be kept, for want of room or of a disk
}

// New returns a Service. Use gives it the broker.
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
	s := &Service{opts: o, limits: *o.Quantities, shadowLimiter: o.Quantities.Rate(quota.ShadowRequests).Limiter()}
	shadow := int(s.limits.Shadow)
	if shadow <= 0 {
		shadow = ledger.MaxValue
	}
	s.kept.prepare(o.Ledger, shadow, s.unreadable)
	return s
}

// over reports whether a number is over a limit of the table, where zero is none.
func over(n, limit int) bool { return limit > 0 && n > limit }

// limited counts, and sparsely logs, what a limit has refused a device.
func (s *Service) limited(name, who string, limit, value int64) {
	s.opts.Meter.Refused(name, who, limit, value)
}

// within holds a number in a device's request to a limit.
func (s *Service) within(name string, t topic, n, limit int, code envelope.Code) (envelope.Code, string) {
	if !over(n, limit) {
		return envelope.OK, ""
	}
	s.limited(name, t.productKey+"/"+t.deviceName, int64(limit), int64(n))
	return code, strconv.Itoa(n) + " in one request, at most " + strconv.Itoa(limit)
}

// Use gives the Service where to send its answers. It is called before the first message.
func (s *Service) Use(p Publisher) { s.out = p }

// Stats is what has been counted so far.
func (s *Service) Stats() *Stats { return &s.stats }

// Wants is part of broker.Interceptor.
func (s *Service) Wants(name []byte) bool {
	t := classify(string(name))
	return t.service != unknown && !(t.service == thing && gatewayPath(t.path))
}

// gatewayPath reports whether a thing topic is the gateway's business, not this package's.
func gatewayPath(path string) bool {
	return strings.HasPrefix(path, "topo/") || strings.HasPrefix(path, "sub/") ||
		path == "list/found" || strings.HasPrefix(path, "gateway/") || strings.HasPrefix(path, "proxy/")
}

// Intercept is part of broker.Interceptor.
func (s *Service) Intercept(_ *broker.Principal, p *packet.Publish) bool {
	name := string(p.Topic)
	t := classify(name)
	if t.service == unknown {
		return false
	}
	if s.opts.Handle != nil && s.opts.Handle(t.productKey, t.deviceName, name, p.Payload) {
		return !s.opts.Pass
	}
	s.stats.Requests.Add(1)
	switch t.service {
	case thing:
		s.thing(t, name, p.Payload)
	case ntp:
		s.ntp(t, p.Payload)
	case shadow:
		s.shadow(t, p.Payload)
	default:
		s.ota(t, p.Payload)
	}
	return !s.opts.Pass
}

// handler answers one request. data is what the answer carries; a message of "" is the code's own.
type handler func(s *Service, t topic, r envelope.Request) (code envelope.Code, message string, data any)

// handlers are the requests that have a path of their own below /thing/.
var handlers map[string]handler

func init() {
	handlers = map[string]handler{
		"event/property/post":         (*Service).postProperties,
		"event/property/pack/post":    (*Service).postPack,
		"event/property/history/post": (*Service).postHistory,
		"event/property/batch/post":   (*Service).postBatch,
		"property/desired/get":        (*Service).getDesired,
		"property/desired/delete":     (*Service).deleteDesired,
		"deviceinfo/update":           (*Service).updateTags,
		"deviceinfo/delete":           (*Service).deleteTags,
		"deviceinfo/get":              (*Service).getTags,
		"config/get":                  (*Service).getConfig,
		"config/log/get":              (*Service).getLogConfig,
		"log/post":                    (*Service).accept,
		"ota/firmware/get":            (*Service).getFirmware,
		"dsltemplate/get":             (*Service).noModel,
		"dynamicTsl/get":              (*Service).noModel,
		"job/get":                     (*Service).getJob,
		"job/update":                  (*Service).updateJob,
		"reset":                       (*Service).note,
		"awss/enrollee/match":         (*Service).note,
		"_thing/diag/post":            (*Service).note,
		"_thing/event/notify":         (*Service).note,
	}
}

// thing answers a message on /sys/{pk}/{dn}/thing/....
func (s *Service) thing(t topic, name string, payload []byte) {
	if path, isReply := strings.CutSuffix(t.path, "_reply"); isReply {
		if !t.hidden() { // nothing is asked on those
			s.calls.answer(t, path, payload)
		}
		return
	}
	if t.path == "model/up_raw" {
		s.watchers(Event{ProductKey: t.productKey, DeviceName: t.deviceName, Kind: RawUp, Raw: payload})
		return
	}
	h := handlers[t.path]
	if h == nil {
		if id, ok := eventOf(t.path); ok {
			h = func(s *Service, t topic, r envelope.Request) (envelope.Code, string, any) {
				return s.postEvent(t, r, id)
			}
		}
	}
	r, code := envelope.Parse(payload)
	message, data := "", any(nil)
	switch {
	case code != envelope.OK:
	case h == nil:
		code, r.Method = envelope.NotAlink, orMethod(r.Method, t)
	case r.Method != "" && r.Method != t.method() && !t.hidden():
		code = envelope.NoMethod
	default:
		r.Method = orMethod(r.Method, t)
		code, message, data = h(s, t, r)
	}
	if code != envelope.OK {
		s.refused(name, code, message)
	}
	if r.NoReply {
		return
	}
	answer := envelope.Reply(r, code, message, data)
	r.Params = nil // a view
	// What was posted is confirmed when it holds.
	s.kept.ledger.Sync(func(err error) {
		if code, message := s.codeOf(err); code != envelope.OK {
			answer = envelope.Reply(r, code, message, nil)
		}
		s.send(name+"_reply", answer)
	})
}

func orMethod(method string, t topic) string {
	if method == "" {
		return t.method()
	}
	return method
}

// send publishes an answer at QoS 0. Nobody may be subscribed to it.
func (s *Service) send(topic string, payload []byte) {
	if _, err := s.out.Publish(context.Background(), topic, payload, 0); err != nil {
		s.opts.Logger.Debug("alink answer not sent", "topic", topic, "error", err)
	}
}

// refused counts and sparsely logs a request that was not done.
func (s *Service) refused(topic string, code envelope.Code, message string) {
	n := s.stats.Refused.Add(1)
	if n&(n-1) == 0 {
		if message == "" {
			message = code.String()
		}
		s.opts.Logger.Info("alink request refused", "topic", topic, "code", int(code), "detail", message, "count", n)
	}
}

// accept takes a request whose content nobody here needs, if its parameters are there.
func (s *Service) accept(t topic, r envelope.Request) (envelope.Code, string, any) {
	if len(r.Params) == 0 {
		return envelope.ParamError, "params is missing", nil
	}
	s.watchers(Event{ProductKey: t.productKey, DeviceName: t.deviceName, Kind: Post, Method: r.Method, Params: r.Params})
	return envelope.OK, "", nil
}

// note takes a request that may come without parameters.
func (s *Service) note(t topic, r envelope.Request) (envelope.Code, string, any) {
	s.watchers(Event{ProductKey: t.productKey, DeviceName: t.deviceName, Kind: Post, Method: r.Method, Params: r.Params})
	return envelope.OK, "", nil
}

// noModel answers a request for a product's model: products have none here.
func (s *Service) noModel(topic, envelope.Request) (envelope.Code, string, any) {
	return envelope.OK, "", json.RawMessage("{}")
}

// watchList is who is told of what devices post.
type watchList struct {
	mu   sync.RWMutex
	next int
	all  map[int]func(Event)
}
