// Package ceiling is what the ceiling programs share: just enough of a broker
// for a load generator to drive, and nothing that a broker has to do.
//
// A ceiling program shows what the machine allows. It parses nothing of a
// PUBLISH beyond its length (and, at QoS 1, where its identifier is): where the
// messages of a connection go is decided by the first of them, and all that
// follow in the same read go the same way in one piece. There are no sessions,
// no limits, no checks and no slow subscribers.
//
// In the "shared" form every subscriber is sent the very bytes that were read;
// in the "copied" form they are first copied for each, message by message,
// with an identifier of its own at QoS 1.
//
// The programs are netconn, with net.Conn and a goroutine for each connection,
// and epoll, with an epoll loop of its own (Linux). Both take -listen ADDRESS
// and -copy, and print "ready ADDRESS".
package ceiling

import (
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
)

// Sink is a subscriber's connection.
type Sink interface{ Send(b []byte) }

// Hub knows who subscribed to what.
type Hub struct {
	mu      sync.Mutex        // guards the maps
	topics  map[string][]Sink // by filter without wildcard
	trees   map[string][]Sink // by what stands before "#"
	changes atomic.Uint64
}

// NewHub returns a hub without subscribers.
func NewHub() *Hub { return &Hub{topics: map[string][]Sink{}, trees: map[string][]Sink{}} }

// subscribe adds a subscriber. The lists are replaced, never changed.
func (h *Hub) subscribe(filter string, s Sink) {
	h.mu.Lock()
	defer h.mu.Unlock()
	in := h.topics
	if prefix, ok := strings.CutSuffix(filter, "#"); ok {
		filter, in = prefix, h.trees
	}
	in[filter] = append(in[filter][:len(in[filter]):len(in[filter])], s)
	h.changes.Add(1)
}

// remove takes a subscriber out everywhere.
func (h *Hub) remove(s Sink) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, in := range []map[string][]Sink{h.topics, h.trees} {
		for filter, sinks := range in {
			kept := make([]Sink, 0, len(sinks))
			for _, other := range sinks {
				if other != s {
					kept = append(kept, other)
				}
			}
			if len(kept) < len(sinks) {
				in[filter] = kept
			}
		}
	}
	h.changes.Add(1)
}

// route finds the subscribers of a topic.
func (h *Hub) route(topic string) []Sink {
	h.mu.Lock()
	defer h.mu.Unlock()
	route := h.topics[topic]
	for prefix, sinks := range h.trees {
		if strings.HasPrefix(topic, prefix) {
			route = append(route[:len(route):len(route)], sinks...)
		}
	}
	return route
}

// Client is one connection of a hub. It is for one goroutine.
type Client struct {
	hub     *Hub
	sink    Sink
	copied  bool
	route   []Sink // of what this client publishes
	changes uint64 // the hub's when route was found
	subs    bool   // it has subscribed
	copies  []byte
	acks    []byte
	ids     map[Sink]uint16 // last identifier used, in the copied form
}

// NewClient begins a connection whose answers and messages go to sink.
func (h *Hub) NewClient(sink Sink, copied bool) *Client {
	return &Client{hub: h, sink: sink, copied: copied, ids: map[Sink]uint16{}}
}

// Close ends the connection's subscriptions.
func (c *Client) Close() {
	if c.subs {
		c.hub.remove(c.sink)
	}
}

// ErrEnd is returned by Feed when the connection is to be closed.
var ErrEnd = errors.New("ceiling: end of the connection")

// The packet types that matter, as the upper half of the first byte.
const (
	connect     = 1
	publish     = 3
	puback      = 4
	subscribe   = 8
	pingreq     = 12
	disconnect  = 14
	maxFixed    = 5 // bytes of a fixed header
	qosBits     = 0x06
	connackSize = 4
)

// length tells the size of the packet at the beginning of b, its fixed header
// included, and that of the fixed header; 0 if b does not hold all of it.
func length(b []byte) (whole, head int) {
	rest := 0
	for i := 1; i < min(len(b), maxFixed); i++ {
		rest |= int(b[i]&0x7f) << (7 * (i - 1))
		if b[i] < 0x80 {
			if whole = i + 1 + rest; whole > len(b) {
				return 0, 0
			}
			return whole, i + 1
		}
	}
	return 0, 0
}

// Feed takes the whole packets at the beginning of b and tells how many bytes
// they were.
func (c *Client) Feed(b []byte) (used int, err error) {
	for used < len(b) {
		n := 0
		if b[used]>>4 == publish {
			n = c.publishes(b[used:])
		} else if n, err = c.control(b[used:]); err != nil {
			return used, err
		}
		if n == 0 {
			break
		}
		used += n
	}
	if len(c.acks) > 0 {
		c.sink.Send(c.acks)
		c.acks = c.acks[:0]
	}
	return used, nil
}

// publishes passes on a run of PUBLISH.
func (c *Client) publishes(b []byte) (run int) {
	for run < len(b) && b[run]>>4 == publish {
		n, head := length(b[run:])
		if n == 0 {
			break
		}
		if run == 0 && (c.route == nil || c.changes != c.hub.changes.Load()) {
			size := int(binary.BigEndian.Uint16(b[head:]))
			c.changes = c.hub.changes.Load()
			c.route = c.hub.route(string(b[head+2 : head+2+size]))
		}
		if b[run]&qosBits != 0 {
			at := run + identifier(b[run:], head)
			c.acks = append(c.acks, puback<<4, 2, b[at], b[at+1])
		}
		run += n
	}
	for _, s := range c.route {
		if c.copied {
			s.Send(c.copy(b[:run], s))
		} else {
			s.Send(b[:run])
		}
	}
	return run
}

// identifier is where a QoS 1 PUBLISH has its identifier.
func identifier(f []byte, head int) int { return head + 2 + int(binary.BigEndian.Uint16(f[head:])) }

// copy makes a subscriber's copy of a run.
func (c *Client) copy(run []byte, s Sink) []byte {
	c.copies = c.copies[:0]
	id := c.ids[s]
	numbered := false
	for len(run) > 0 {
		n, head := length(run)
		at := len(c.copies)
		c.copies = append(c.copies, run[:n]...)
		if run[0]&qosBits != 0 {
			if id++; id == 0 {
				id = 1
			}
			numbered = true
			binary.BigEndian.PutUint16(c.copies[at+identifier(run, head):], id)
		}
		run = run[n:]
	}
	if numbered {
		c.ids[s] = id
	}
	return c.copies
}

// control handles one packet that is not PUBLISH.
func (c *Client) control(b []byte) (n int, err error) {
	n, head := length(b)
	if n == 0 {
		return 0, nil
	}
	switch b[0] >> 4 {
	case connect:
		c.sink.Send([]byte{0x20, connackSize - 2, 0, 0})
	case puback:
	case subscribe:
		c.subscribe(b[head:n])
	case pingreq:
		c.sink.Send([]byte{0xd0, 0})
	case disconnect:
		return 0, ErrEnd
	}
	return n, nil
}

// subscribe adds the filters of a SUBSCRIBE and answers.
func (c *Client) subscribe(body []byte) {
	ack := []byte{0x90, 0, body[0], body[1]}
	for at := 2; at+2 < len(body); {
		end := at + 2 + int(binary.BigEndian.Uint16(body[at:]))
		c.hub.subscribe(string(body[at+2:end]), c.sink)
		ack = append(ack, min(body[end], 1))
		at = end + 1
	}
	ack[1] = byte(len(ack) - 2)
	c.subs = true
	c.sink.Send(ack)
}
