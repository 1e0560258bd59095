package load

import (
	"bytes"

	"sampan/bench/proof"
	"sampan/packet"
)

// referenceSize bounds the bytes that a reference holds: enough for what
// subscribers are apart, and little enough to stay in the processor's cache.
const referenceSize = 512 << 10

// referencesSize bounds, about, what the references of a lane hold together.
const referencesSize = 16 << 20

// reference makes a fan-out cheap to check. Every receiver of a stream gets
// the same bytes, but for the identifier at QoS 1. So the first receiver on a
// lane looks at each packet closely and leaves it here, and for the others it
// is enough to compare memory, many packets at a time.
type reference struct {
	stream *stream
	most   int // bytes at most, but for one packet
	frame  int // bytes of a packet: all of a stream are of one size
	id     int // where the identifier is; 0 at QoS 0
	first  uint64
	next   uint64 // the packets of messages first to next-1 are here
	bytes  []byte
	sent   []sentAt
}

// sentAt says that messages from seq on were sent at a time, in ticks.
type sentAt struct {
	seq  uint64
	tick uint64
}

// referenceFor returns the lane's reference for a stream; nil if there are not
// enough receivers to make it worth while.
func (l *lane) referenceFor(s *stream) *reference {
	if s.Copies < 4*len(l.engine.lanes) || l.engine.plan.Shared || s.Reply != "" {
		return nil
	}
	r := l.references[s]
	if r == nil {
		if l.references == nil {
			l.references = map[*stream]*reference{}
		}
		r = &reference{stream: s, most: min(referenceSize, referencesSize/len(l.engine.streams))}
		l.references[s] = r
	}
	return r
}

// learn adds a packet that was looked at closely: that of message m, which
// the receiver saw in order.
func (r *reference) learn(packet []byte, m proof.Stamp, id int) {
	if m.Seq != r.next || len(packet) != r.frame || packet[0]&0x08 != 0 {
		if m.Seq < r.next || packet[0]&0x08 != 0 {
			return // somebody else was first, or DUP is set
		}
		// A beginning, or a gap.
		r.first, r.next = m.Seq, m.Seq
		r.bytes, r.sent = r.bytes[:0], r.sent[:0]
		r.frame, r.id = len(packet), id
	}
	if len(r.bytes)+r.frame > r.most {
		r.forget()
	}
	r.bytes = append(r.bytes, packet...)
	if n := len(r.sent); n == 0 || r.sent[n-1].tick != m.Sent {
		r.sent = append(r.sent, sentAt{m.Seq, m.Sent})
	}
	r.next++
}

// forget drops the older half.
func (r *reference) forget() {
	gone := (r.next - r.first + 1) / 2
	r.bytes = append(r.bytes[:0], r.bytes[gone*uint64(r.frame):]...)
	r.first += gone
	i := 0
	for i+1 < len(r.sent) && r.sent[i+1].seq <= r.first {
		i++
	}
	r.sent = append(r.sent[:0], r.sent[i:]...)
}

// same tells how many packets at the beginning of b are those of the messages
// from seq on.
func (r *reference) same(b []byte, seq uint64) (n int) {
	if seq < r.first || seq >= r.next {
		return 0
	}
	known := r.bytes[(seq-r.first)*uint64(r.frame):]
	most := min(len(b), len(known)) / r.frame
	if r.id > 0 {
		for n < most && r.sameButID(b[n*r.frame:], known[n*r.frame:]) {
			n++
		}
		return n
	}
	// In growing steps, as b may turn to another stream anywhere.
	for step := 1; n < most; step *= 4 {
		step = min(step, most-n)
		from, to := n*r.frame, (n+step)*r.frame
		if !bytes.Equal(b[from:to], known[from:to]) {
			if step == 1 {
				break
			}
			step = 0
			most = n + 1 // the difference is near: one more at most
		}
		n += step
		step = max(step, 1)
	}
	return n
}

// sameButID compares one packet.
func (r *reference) sameButID(b, known []byte) bool {
	return bytes.Equal(b[:r.id], known[:r.id]) && bytes.Equal(b[r.id+2:r.frame], known[r.id+2:r.frame])
}

// repeated takes packets at the beginning of b that are the ones expected
// next and known already.
func (c *conn) repeated(b []byte, t *tally) (used int) {
	r := c.ref
	i, ok := c.client.receiving(r.stream.index)
	if !ok {
		return 0
	}
	tr := &c.client.trackers[i]
	seq := tr.Next()
	n := r.same(b, seq)
	if n == 0 {
		return 0
	}
	if r.id > 0 {
		acks := c.lane.acks
		for k := range n {
			at := k*r.frame + r.id
			acks = append(acks, byte(packet.TypePuback)<<4, 2, b[at], b[at+1])
		}
		c.lane.acks = acks
	}
	tr.Advance(uint64(n))
	t.addRun(r, seq, seq+uint64(n))
	return n * r.frame
}

// addRun counts messages from seq to before end that came for the first time.
func (t *tally) addRun(r *reference, seq, end uint64) {
	// The last entry that begins at or before seq; nearly always near the end
	// or the only one.
	i := len(r.sent) - 1
	for i > 0 && r.sent[i].seq > seq {
		i--
	}
	for ; seq < end; i++ {
		until := end
		if i+1 < len(r.sent) {
			until = min(until, r.sent[i+1].seq)
		}
		t.add(r.stream, r.sent[i].tick, int64(until-seq))
		seq = until
	}
}
