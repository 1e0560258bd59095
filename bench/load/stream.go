package load

import (
	"strconv"
	"sync/atomic"

	"sampan/bench/proof"
	"sampan/packet"
)

// stream is one publisher's numbered messages on one topic. The lane of the
// publishing client guards it; what other lanes touch is atomic.
type stream struct {
	Stream
	index  uint32
	lane   *lane
	client *client // nil if a function publishes
	seal   *proof.Seal
	head   []byte // the packet up to the identifier or payload

	planned uint64 // messages that were to be sent by now
	sent    uint64
	limit   uint64 // no message beyond this number
	first   int64  // open load: when number base was to be sent
	base    uint64
	period  float64 // open load: nanoseconds from one message to the next
	blocked bool    // the broker takes no more at the moment
	// unreceived says that deliveries are owed only after Expect.
	unreceived bool
	more       chan struct{} // wakes the goroutine that publishes through a function

	batch int64 // closed load: a message counts as this many outstanding
	most  int64 // closed load: outstanding at most

	_ [64]byte // what follows is written by every receiver's lane

	outstanding atomic.Int64 // deliveries and PUBACKs that are to come
	enough      atomic.Int64 // so few outstanding are few enough to send more; open: none are
	queued      atomic.Bool  // in some ready list
}

// open is the value of stream.enough in an open load.
const open = -1

// numberDigits is the length of the message number in the topic of a request,
// like the identifiers of the platform.
const numberDigits = 19

// numberBase makes every number have 19 digits.
const numberBase = 1_000_000_000_000_000_000

// build makes the part of the packet that does not change.
func (s *stream) build() {
	p := packet.Publish{Topic: []byte(s.Topic), QoS: s.QoS, ID: 1, Payload: make([]byte, s.Size)}
	if s.Reply != "" {
		p.Topic = append(p.Topic, make([]byte, numberDigits)...)
	}
	s.head = p.AppendHead(nil)
}

// append adds the packet of the next message to dst.
func (s *stream) append(dst []byte, id uint16, sent int64) []byte {
	dst = append(dst, s.head...)
	at := len(dst)
	if s.QoS > 0 {
		at -= 2
		dst[at], dst[at+1] = byte(id>>8), byte(id)
	}
	if s.Reply != "" {
		strconv.AppendUint(dst[:at-numberDigits], numberBase+s.sent, 10)
	}
	return s.seal.Append(dst, s.Size, proof.Stamp{Stream: s.index, Seq: s.sent, Sent: proof.Ticks(sent)})
}

// expects reports whether a receiver may see message seq on this topic.
func (s *stream) expects(topic []byte, seq uint64) bool {
	if s.Reply == "" {
		return string(topic) == s.Topic
	}
	prefix := len(topic) - numberDigits
	if prefix < 0 || string(topic[:prefix]) != s.Reply {
		return false
	}
	var number [numberDigits + 1]byte
	return string(topic[prefix:]) == string(strconv.AppendUint(number[:0], numberBase+seq, 10))
}

// send puts what is planned and may go into the lane's output. All messages
// of an open load carry their place in the schedule, those of a closed load
// the present.
func (s *stream) send(now int64) {
	if s.client == nil {
		s.signal()
		return
	}
	c := s.client.conn
	if c == nil || c.phase != online {
		s.blocked = s.sent < s.planned
		return
	}
	l := s.lane
	for s.sent < s.planned {
		if !c.room() {
			s.blocked = true
			return
		}
		at := now
		if s.period > 0 {
			at = s.due(s.sent)
			if !s.blocked {
				l.timesFor(at).Lag.Record(since(at, now))
			}
		}
		var id uint16
		if s.QoS > 0 {
			id = s.client.inflight.add(s, at)
		}
		l.begin(c)
		l.out = s.append(l.out, id, at)
		s.booked()
	}
	s.blocked = false
}

// booked counts a message as sent.
func (s *stream) booked() {
	s.sent++
	if s.lane.unsent > 0 {
		s.lane.unsent--
	}
	count := &s.lane.count
	count.Sent++
	if s.unreceived {
		s.lane.unreceived += uint64(s.Copies)
	} else {
		count.owed += uint64(s.Copies)
	}
	count.acks += uint64(s.QoS)
}

// arrived takes n deliveries or PUBACKs off what is outstanding and makes the
// stream send more when there is room. Any lane may call it; from is the
// caller's.
func (s *stream) arrived(n int64, from *lane) {
	enough := s.enough.Load()
	if enough == open {
		return
	}
	if s.outstanding.Add(-n) <= enough && s.queued.CompareAndSwap(false, true) {
		if from == s.lane {
			from.ready = append(from.ready, s)
		} else {
			s.lane.post(s)
		}
	}
}

// fill plans what the window has room for and sends it.
func (s *stream) fill(now int64) {
	s.queued.Store(false)
	outstanding := max(s.outstanding.Load(), 0)
	if s.batch == 0 || outstanding > s.enough.Load() {
		return
	}
	if s.client != nil && s.client.life != nil && s.client.life.returned(s.client, now) {
		return
	}
	n := min(uint64((s.most-outstanding)/s.batch), s.limit-min(s.limit, s.planned))
	if n > 0 {
		s.outstanding.Add(int64(n) * s.batch)
		s.planned += n
		s.send(now)
	}
}
