package crash

import (
	"fmt"
	"slices"
	"sync"
)

// moment is a place in the order in which the ledger was told things; 0 is never.
type moment uint64

// ledger is what has happened, as the clients saw it.
type ledger struct {
	run uint64

	mu          sync.Mutex // guards what follows, and everything reached from it
	now         moment
	streams     []*stream
	subscribers []*subscriber
	faults      faults
	counts      Counts
	final       *final
	joined      chan struct{} // closed when every subscriber has its steady subscription
	settled     chan struct{} // closed when every subscriber has the final message
}

// Counts say how much has happened.
type Counts struct {
	Published     int `json:"published"`     // messages sent
	Acknowledged  int `json:"acknowledged"`  // of those
	Received      int `json:"received"`      // first receipts, of all subscribers together
	Redelivered   int `json:"redelivered"`   // further receipts
	Renumbered    int `json:"renumbered"`    // of those, with another packet identifier, after a crash
	Outlived      int `json:"outlived"`      // receipts of what an earlier start of the broker had acknowledged
	Connections   int `json:"connections"`   // of subscribers
	Cut           int `json:"cut"`           // of those, ended by the subscriber without DISCONNECT
	Subscriptions int `json:"subscriptions"` // SUBACKs and UNSUBACKs
}

// stream is the messages of one publisher on one topic. Message n is sent[n-1].
type stream struct {
	topic  string
	steady bool // everybody is subscribed to it for good
	sent   []sending
}

// sending is the publisher's view of a message.
type sending struct {
	sent, acknowledged moment
	broker             int // which start of the broker it was sent to
}

// subscriber is one persistent session as its client has seen it.
type subscriber struct {
	name     string
	known    bool // its session was acknowledged
	joined   bool // its steady subscription was acknowledged
	got      [][]receipt
	last     []uint64      // by stream, the highest number received
	spans    [][]span      // by stream
	owed     int           // messages of steady streams that must come and have not
	flying   map[uint16]id // on this connection: received, not acknowledged
	session  int           // number of its connection
	complete bool          // has the final message
}

// has reports whether a message has come.
func (s *subscriber) has(m id) bool {
	got := s.got[m.stream]
	return m.number <= uint64(len(got)) && got[m.number-1].times > 0
}

// id names a message.
type id struct {
	stream int
	number uint64
}

// receipt is a subscriber's view of a message.
type receipt struct {
	times      uint32
	identifier uint16
	acked      bool
	connection int
	broker     int // which start of the broker delivered it last
}

// span is a subscription from the first SUBSCRIBE to the UNSUBACK.
type span struct{ asked, made, leaving, left moment }

// final is the message that ends the run.
type final struct{ id }

func newLedger(run uint64, publishers, subscribers int) *ledger {
	l := &ledger{run: run, joined: make(chan struct{}), settled: make(chan struct{})}
	for p := range publishers {
		l.streams = append(l.streams,
			&stream{topic: fmt.Sprintf("crash/steady/%d", p), steady: true},
			&stream{topic: fmt.Sprintf("crash/now-and-then/%d", p)})
	}
	for s := range subscribers {
		l.subscribers = append(l.subscribers, &subscriber{
			name: fmt.Sprintf("crash-subscriber-%d", s),
			got:  make([][]receipt, len(l.streams)), last: make([]uint64, len(l.streams)), spans: make([][]span, len(l.streams)),
		})
	}
	return l
}

// steadyFilter matches all steady streams.
const steadyFilter = "crash/steady/+"

// tick is called with mu held.
func (l *ledger) tick() moment {
	l.now++
	return l.now
}

// fault notes that a promise was broken.
func (l *ledger) fault(k Kind, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults.add(k, format, args...)
}

// sending is called before a message goes out, and numbers it.
func (l *ledger) sending(stream, broker int) (number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.streams[stream]
	s.sent = append(s.sent, sending{sent: l.tick(), broker: broker})
	l.counts.Published++
	return uint64(len(s.sent))
}

// acknowledged is called when the PUBACK of a message has come.
func (l *ledger) acknowledged(stream int, number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.streams[stream].sent[number-1].acknowledged = l.tick()
	l.counts.Acknowledged++
	what := id{stream, number}
	for _, s := range l.subscribers {
		if l.streams[stream].steady && !s.has(what) && l.required(s, what) {
			s.owed++
		}
	}
}

// behind is how many messages the subscriber that lags most has still to get from steady streams.
func (l *ledger) behind() (most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.subscribers {
		most = max(most, s.owed)
	}
	return most
}

// connected is called when a subscriber's CONNECT was accepted.
func (l *ledger) connected(sub, broker int, present bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.subscribers[sub]
	if s.known && !present {
		l.faults.add(NoSession, "%s connected to start %d of the broker, and there was no session", s.name, broker)
	}
	s.known = true
	l.counts.Connections++
}

// connecting is called before a subscriber connects; messages can come before its CONNECT is known to have
// been accepted.
func (l *ledger) connecting(sub int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.subscribers[sub]
	s.session++
	s.flying = map[uint16]id{}
}

// cut is called when a subscriber has cut its connection.
func (l *ledger) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Cut++
}

// subscribing is called before SUBSCRIBE goes out.
func (l *ledger) subscribing(sub int, steady bool, only int) {
	l.eachSubscription(sub, steady, only, func(spans []span) []span {
		if n := len(spans); n > 0 && spans[n-1].leaving == 0 {
			return spans // again, since there was no SUBACK
		}
		return append(spans, span{asked: l.tick()})
	})
}

// subscribed is called when SUBACK has come.
func (l *ledger) subscribed(sub int, steady bool, only int) {
	l.eachSubscription(sub, steady, only, func(spans []span) []span {
		if s := &spans[len(spans)-1]; s.made == 0 {
			s.made = l.tick()
		}
		return spans
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Subscriptions++
	if steady && !l.subscribers[sub].joined {
		l.subscribers[sub].joined = true
		if !slices.ContainsFunc(l.subscribers, func(s *subscriber) bool { return !s.joined }) {
			close(l.joined)
		}
	}
}

// unsubscribing is called before UNSUBSCRIBE goes out.
func (l *ledger) unsubscribing(sub, stream int) {
	l.eachSubscription(sub, false, stream, func(spans []span) []span {
		if s := &spans[len(spans)-1]; s.leaving == 0 {
			s.leaving = l.tick()
		}
		return spans
	})
}

// unsubscribed is called when UNSUBACK has come.
func (l *ledger) unsubscribed(sub, stream int) {
	l.eachSubscription(sub, false, stream, func(spans []span) []span {
		spans[len(spans)-1].left = l.tick()
		return spans
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Subscriptions++
}

// eachSubscription calls f with the spans of all steady streams, or of one other.
func (l *ledger) eachSubscription(sub int, steady bool, only int, f func([]span) []span) {
	l.mu.Lock()
	defer l.mu.Unlock()
	spans := l.subscribers[sub].spans
	for i, s := range l.streams {
		if steady && s.steady || !steady && i == only {
			spans[i] = f(spans[i])
		}
	}
}

// required reports whether a subscriber must get a message: it was acknowledged, and a subscription was there
// from before it was sent until after that.
func (l *ledger) required(sub *subscriber, m id) bool {
	sent := l.streams[m.stream].sent[m.number-1]
	if sent.acknowledged == 0 {
		return false
	}
	for _, s := range sub.spans[m.stream] {
		if s.made != 0 && s.made < sent.sent && (s.leaving == 0 || s.leaving > sent.acknowledged) {
			return true
		}
	}
	return false
}

// forbidden reports whether a subscriber must not get a message: it was sent after a subscription had ended,
// and acknowledged before the next was asked for.
func (l *ledger) forbidden(sub *subscriber, m id) bool {
	sent := l.streams[m.stream].sent[m.number-1]
	spans := sub.spans[m.stream]
	for i, s := range spans {
		if s.left != 0 && s.left < sent.sent {
			if i+1 == len(spans) || sent.acknowledged != 0 && sent.acknowledged < spans[i+1].asked {
				return true
			}
		}
	}
	return false
}
