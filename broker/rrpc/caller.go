package rrpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"sampan/broker"
	"sampan/packet"
)

// Code is the result of a call in the platform's words.
type Code string

// The result codes of the API's RrpcCode.
const (
	Success  Code = "SUCCESS"
	Timeout  Code = "TIMEOUT"  // no answer in time, whether the device got the request or not
	Offline  Code = "OFFLINE"  // the device has no connection
	HalfConn Code = "HALFCONN" // its connection was lost less than a keep-alive ago
	Unknown  Code = "UNKNOWN"  // anything else
)

// Error is why a call has no answer.
type Error struct {
	Code   Code
	Device string
	Detail string
}

func (e *Error) Error() string {
	s := "rrpc: " + e.Device + ": " + string(e.Code)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// CodeOf is the code of a call that returned err.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return Success
	case errors.As(err, &e):
		return e.Code
	default:
		return Unknown
	}
}

// ErrTimeout is returned, wrapped, for a timeout outside the range in Options.
var ErrTimeout = errors.New("rrpc: timeout out of range")

// ErrTooMany is returned when Options.MaxPending calls wait already.
var ErrTooMany = errors.New("rrpc: too many calls wait for an answer")

// Options configure a Caller. Zero values mean the defaults.
type Options struct {
	// MinTimeout and MaxTimeout are the range of a call's timeout. Default 1 s to 8 s ("platform: 1,000 to
	// 8,000 ms"; it was 5,000 until 2018).
	MinTimeout, MaxTimeout time.Duration
	// MaxPending bounds the calls that wait for an answer. Default 100,000.
	MaxPending int
	// QoS of the request. Default 0; no public source says what the platform uses.
	QoS byte
	// Logger gets a line for each late or unknown answer (code 1904) and each missing one (1905). nil:
	// slog.Default().
	Logger *slog.Logger
	// IDs numbers the calls. nil: a source of their own.
	IDs *IDs
	// Clock is the broker's. nil: the system's.
	Clock broker.Clock
}

// Broker is what a Caller needs of the broker.
type Broker interface {
	DeliverSubscribed(ctx context.Context, key, topic string, payload []byte, qos byte) (subscribed bool, err error)
	Client(key string) (broker.ClientInfo, bool)
}

// Caller makes calls and takes in their answers. It is safe for concurrent use.
type Caller struct {
	opts   Options
	broker Broker
	ids    *IDs
	lost   lost
	count  atomic.Int64
	shards [64]shard
	stats  stats
}

// shard is a part of the calls that wait, by message id.
type shard struct {
	mu    sync.Mutex
	calls map[uint64]*call
}

// call waits for one answer.
type call struct {
	key    string // of the device that may answer
	custom string // topic that the answer must have; empty for the system topic
	answer chan []byte
}

// New returns a Caller. Call Use before the first Call.
func New(o Options) *Caller {
	if o.MinTimeout <= 0 {
		o.MinTimeout = time.Second
	}
	if o.MaxTimeout <= 0 {
		o.MaxTimeout = 8 * time.Second
	}
	if o.MaxPending <= 0 {
		o.MaxPending = 100_000
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Clock == nil {
		o.Clock = broker.SystemClock
	}
	if o.IDs == nil {
		o.IDs = NewIDs(o.Clock)
	}
	c := &Caller{opts: o, ids: o.IDs}
	for i := range c.shards {
		c.shards[i].calls = make(map[uint64]*call)
	}
	return c
}

// Use gives the Caller the broker, which is made with the Caller as its Interceptor and Observer, or behind
// another that calls it.
func (c *Caller) Use(b Broker) { c.broker = b }

// Request is one call.
type Request struct {
	ProductKey, DeviceName string
	// Key is the device's session key in the broker.
	Key     string
	Payload []byte
	// Topic makes this a call over a custom topic, such as /{productKey}/{deviceName}/user/get; empty: the
	// system topics. The device must have connected with ext bit 0.
	Topic string
	// Timeout is how long to wait for the answer. 0: Options.MaxTimeout.
	Timeout time.Duration
}

// Answer is what came back.
type Answer struct {
	MessageID uint64
	Payload   []byte
}

// Call sends a request to a device and waits for its answer, until the timeout or until ctx ends. The error
// is an *Error if the call was valid and the device did not answer.
func (c *Caller) Call(ctx context.Context, r Request) (Answer, error) {
	if r.Timeout == 0 {
		r.Timeout = c.opts.MaxTimeout
	}
	if r.Timeout < c.opts.MinTimeout || r.Timeout > c.opts.MaxTimeout {
		return Answer{}, fmt.Errorf("%w: %v, allowed %v to %v", ErrTimeout, r.Timeout, c.opts.MinTimeout, c.opts.MaxTimeout)
	}
	device := r.ProductKey + "/" + r.DeviceName
	fail := func(code Code, detail string) error {
		c.stats.count(code)
		return &Error{Code: code, Device: device, Detail: detail}
	}
	if info, ok := c.broker.Client(r.Key); !ok || !info.Connected {
		if c.lost.recently(r.Key, c.opts.Clock.Now()) {
			return Answer{}, fail(HalfConn, "its connection was lost less than a keep-alive ago")
		}
		return Answer{}, fail(Offline, "it is not connected")
	}
	if n := c.count.Add(1); n > int64(c.opts.MaxPending) {
		c.count.Add(-1)
		return Answer{}, ErrTooMany
	}
	defer c.count.Add(-1)

	id := c.ids.Next()
	text := strconv.FormatUint(id, 10)
	topic, custom := "/sys/"+device+"/rrpc/request/"+text, ""
	if r.Topic != "" {
		topic = "/ext/rrpc/" + text + r.Topic
		custom = topic
	}
	w := &call{key: r.Key, custom: custom, answer: make(chan []byte, 1)}
	s := c.shard(id)
	s.mu.Lock()
	s.calls[id] = w
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.calls, id)
		s.mu.Unlock()
	}()

	late := make(chan struct{})
	timer := c.opts.Clock.AfterFunc(r.Timeout, func() { close(late) })
	defer timer.Stop()
	// To the device alone: others may have subscribed to /ext/rrpc/# as well.
	subscribed, err := c.broker.DeliverSubscribed(ctx, r.Key, topic, r.Payload, c.opts.QoS)
	if errors.Is(err, broker.ErrOffline) {
		return Answer{MessageID: id}, fail(Offline, "its connection has ended")
	}
	if err != nil {
		return Answer{MessageID: id}, fail(Unknown, err.Error())
	}
	select {
	case p := <-w.answer:
		c.stats.count(Success)
		return Answer{MessageID: id, Payload: p}, nil
	case <-late:
		detail := "no answer within " + r.Timeout.String()
		if !subscribed {
			detail = "the device has not subscribed to " + topic
		}
		c.opts.Logger.Info("rrpc answer missing", "code", 1905, "device", device, "messageId", id, "detail", detail)
		return Answer{MessageID: id}, fail(Timeout, detail)
	case <-ctx.Done():
		return Answer{MessageID: id}, fail(Unknown, ctx.Err().Error())
	}
}

func (c *Caller) shard(id uint64) *shard { return &c.shards[id%uint64(len(c.shards))] }

// Wants is part of broker.Interceptor.
func (c *Caller) Wants(topic []byte) bool {
	_, ok := answerID(topic)
	return ok
}

// Intercept is part of broker.Interceptor: it hands an answer to its call. An answer that nobody waits for
// goes nowhere either.
func (c *Caller) Intercept(from *broker.Principal, p *packet.Publish) bool {
	text, ok := answerID(p.Topic)
	if !ok {
		return false
	}
	id, ok := parseID(text)
	if !ok {
		c.refuse(from, p, "malformed message id")
		return true
	}
	s := c.shard(id)
	s.mu.Lock()
	w := s.calls[id]
	switch {
	case w == nil:
		s.mu.Unlock()
		c.refuse(from, p, "late or unknown message id")
		return true
	case w.key != from.Key:
		s.mu.Unlock()
		c.refuse(from, p, "answer from another device")
		return true
	case w.custom != "" && w.custom != string(p.Topic), w.custom == "" && isExt(p.Topic):
		s.mu.Unlock()
		c.refuse(from, p, "answer on another topic")
		return true
	}
	delete(s.calls, id) // the first answer counts
	s.mu.Unlock()
	w.answer <- append([]byte(nil), p.Payload...)
	return true
}

// refuse logs an answer that nobody waits for, sparsely.
func (c *Caller) refuse(from *broker.Principal, p *packet.Publish, why string) {
	if n := c.stats.unexpected.Add(1); n&(n-1) == 0 {
		c.opts.Logger.Warn("rrpc answer refused", "code", 1904, "client", from.Key, "topic", string(p.Topic), "detail", why, "count", n)
	}
}

// Observe is part of broker.Observer: the Caller remembers for the length of a keep-alive whose connection
// was lost.
func (c *Caller) Observe(e broker.Event) {
	switch e.Kind {
	case broker.Disconnected:
		if e.Reason == broker.ConnectionLost || e.Reason == broker.KeepAliveTimeout {
			c.lost.add(e.Client, e.Time, e.KeepAlive)
		}
	case broker.Connected:
		c.lost.remove(e.Client)
	}
}
