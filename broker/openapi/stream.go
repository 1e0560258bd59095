package openapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"sampan/broker"
)

// StreamAction is the Action of a signed request for a stream; see Server.Stream.
const StreamAction = "Stream"

const (
	// maxStreams bounds the streams that are open at one time.
	maxStreams = 128
	// heartbeat is how often a stream without messages says that it lives, so that both ends notice if not.
	heartbeat = 15 * time.Second
	// streamWrite is how long a reader may take nothing before its stream is cut.
	streamWrite = 30 * time.Second
)

// Subscriber is what streams need of the broker; a *broker.Broker is one.
type Subscriber interface {
	Subscribe(filter string, handler func(broker.Message)) (*broker.Subscription, error)
}

// Streamed is a message in a stream.
type Streamed struct {
	Topic        string          `json:"topic"`
	MessageID    string          `json:"messageId"`
	GenerateTime int64           `json:"generateTime"` // milliseconds since 1970
	QoS          byte            `json:"qos"`
	Content      json.RawMessage `json:"content,omitempty"` // the payload, if it is JSON
	Payload      string          `json:"payload,omitempty"` // the payload in base64, if it is not
}

// Streams hands messages on to servers, as server-sent events over HTTP: a GET request, signed like any other
// with Action=Stream and optionally Topic, a topic filter, is answered with an event for each message. Without
// Topic these are the notifications of devices that come and go (/as/mqtt/status/#). There is no storage: who
// is not connected misses what happens, and who reads too slowly loses messages, which the broker counts.
//
// The platform has AMQP for this; server-sent events need no client library.
type Streams struct {
	server *Server
	source Subscriber
	stop   chan struct{}
	once   sync.Once

	mu   sync.Mutex // guards open
	open int
}

// Streams returns the handler of streams for the messages of a broker. It authenticates as the server does.
func (s *Server) Streams(from Subscriber) *Streams {
	return &Streams{server: s, source: from, stop: make(chan struct{})}
}

// Close ends all streams, so that the HTTP server can shut down.
func (s *Streams) Close() { s.once.Do(func() { close(s.stop) }) }

var (
	errStreamAction = wrong(http.StatusNotFound, "InvalidAction.NotFound", "A stream is asked for with Action=Stream.")
	errStreams      = wrong(http.StatusServiceUnavailable, "Throttling", "Too many streams are open, or the broker shuts down.")
	errStreamTopic  = wrong(http.StatusBadRequest, "InvalidParameter", "Topic is not a valid topic filter.")
)

// ServeHTTP answers one request for a stream.
func (s *Streams) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	action, p, asXML, err := s.server.accept(w, r)
	filter := p.Get("Topic")
	if filter == "" {
		filter = "/as/mqtt/status/#"
	}
	switch {
	case err != nil:
	case action != StreamAction || r.Method != http.MethodGet:
		err = errStreamAction
	case !s.enter():
		err = errStreams
	default:
		defer s.leave()
		err = s.serve(w, r.Context(), filter)
	}
	if err != nil {
		s.server.answer(w, r, action, nil, err, asXML)
	}
}

func (s *Streams) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= maxStreams {
		return false
	}
	s.open++
	return true
}

func (s *Streams) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
}

// serve writes events until either end has had enough. After an error nothing has been written.
func (s *Streams) serve(w http.ResponseWriter, ctx context.Context, filter string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	control := http.NewResponseController(w)
	var mu sync.Mutex // guards w, which two goroutines write to, and what follows
	ended := false
	write := func(b []byte) {
		mu.Lock()
		defer mu.Unlock()
		if ended {
			return
		}
		// Not every ResponseWriter has deadlines; then a dead reader is noticed by TCP.
		_ = control.SetWriteDeadline(time.Now().Add(streamWrite))
		_, err := w.Write(b)
		if err == nil {
			err = control.Flush()
		}
		if err != nil {
			ended = true
			cancel()
		}
	}
	// Messages wait for the headers.
	mu.Lock()
	subscriptions, err := s.subscribe(filter, func(m broker.Message) { write(s.event(m)) })
	if err == nil {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
	}
	mu.Unlock()
	if errors.Is(err, broker.ErrClosed) {
		return errStreams
	}
	if err != nil {
		return errStreamTopic
	}
	defer func() {
		for _, each := range subscriptions {
			each.Close()
		}
		mu.Lock()
		ended = true // a message that is still handled must not write to w after this method has returned
		mu.Unlock()
	}()
	// Who has read this knows that the subscription stands.
	write([]byte(": subscribed\n\n"))
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.stop:
			return nil
		case <-ticker.C:
			write([]byte(": alive\n\n"))
		}
	}
}

// serverPrefix is in front of the topics on which the platform tells servers what devices do, so that they are
// not devices' topics. A stream leaves it away.
const serverPrefix = "/as"

// subscribe makes the subscriptions of a stream: one for messages of devices, and one for what the platform
// tells of them.
func (s *Streams) subscribe(filter string, handle func(broker.Message)) (all []*broker.Subscription, err error) {
	told := func(topic string) bool {
		return strings.HasPrefix(topic, serverPrefix+"/") && !strings.HasPrefix(topic, serverPrefix+"/mqtt/")
	}
	two := strings.HasPrefix(filter, "/") && !strings.HasPrefix(filter, serverPrefix+"/")
	first, err := s.source.Subscribe(filter, func(m broker.Message) {
		switch {
		case !told(m.Topic):
			handle(m)
		case !two: // the filter begins with a wildcard, or names the prefix
			m.Topic = strings.TrimPrefix(m.Topic, serverPrefix)
			handle(m)
		}
	})
	if err != nil || !two {
		return []*broker.Subscription{first}, err
	}
	second, err := s.source.Subscribe(serverPrefix+filter, func(m broker.Message) {
		if told(m.Topic) {
			m.Topic = strings.TrimPrefix(m.Topic, serverPrefix)
			handle(m)
		}
	})
	if err != nil {
		first.Close()
	}
	return []*broker.Subscription{first, second}, err
}

// event is a message as a server-sent event.
func (s *Streams) event(m broker.Message) []byte {
	id := strconv.FormatUint(s.server.opts.IDs.Next(), 10)
	e := Streamed{Topic: m.Topic, MessageID: id, GenerateTime: s.server.opts.Now().UnixMilli(), QoS: m.QoS}
	if json.Valid(m.Payload) {
		e.Content = m.Payload
	} else {
		e.Payload = base64.StdEncoding.EncodeToString(m.Payload)
	}
	data, err := json.Marshal(e) // writes no line ends, which would end the event
	if err != nil {
		return nil
	}
	return append(append([]byte("id: "+id+"\ndata: "), data...), "\n\n"...)
}
