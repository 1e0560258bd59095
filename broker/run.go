package broker

import (
	"encoding/binary"

	"sampan/packet"
	"sampan/session"
)

// run is consecutive PUBLISH packets of one topic and QoS in one chunk: what is matched once and handed to
// each subscriber in one piece.
type run struct {
	topic  []byte
	qos    byte
	except *client // who does not receive it; nil: nobody
	bytes  []byte  // the packets as they lie in the chunk, DUP and RETAIN 0
	frames []frame
	lower  []byte             // the same messages as QoS 0 packets, behind those of the chunk's earlier runs; made when first needed
	from   int                // where those of this run begin in lower
	ends   []int              // where each of them ends, counted from there
	kept   []*session.Message // the same as messages; made when first needed
}

// frame is one packet of a run.
type frame struct {
	start, end int // in run.bytes
	payload    int // where the payload begins in run.bytes; the identifier, if any, is before it
}

const (
	dupBit    = 1 << 3
	retainBit = 1
)

func (r *run) empty() bool { return len(r.frames) == 0 }

func (r *run) reset() {
	r.topic, r.bytes, r.except = nil, nil, nil
	r.frames, r.ends, r.from = r.frames[:0], r.ends[:0], len(r.lower)
	clear(r.kept)
	r.kept = r.kept[:0]
}

// flushed is called when nobody has a view of the chunk's packets any more.
func (r *run) flushed() { r.lower, r.from = r.lower[:0], 0 }

// add takes in a packet whose bytes are raw, directly behind those of the run, and which holds p.
func (r *run) add(chunk []byte, start, end int, p *packet.Publish) {
	raw := chunk[start:end]
	if r.empty() {
		r.topic, r.qos = p.Topic, p.QoS
		r.bytes = raw
	} else {
		r.bytes = r.bytes[:len(r.bytes)+len(raw)]
	}
	// What goes out has RETAIN 0 [MQTT-3.3.1-9] and a DUP of its own [MQTT-3.3.1-3].
	raw[0] &^= dupBit | retainBit
	n := len(r.bytes)
	r.frames = append(r.frames, frame{start: n - len(raw), end: n, payload: n - len(p.Payload)})
}

// copies is how often something is done for each receiver: at QoS 0 the run goes out as one piece.
func (r *run) copies() int {
	if r.qos == 0 {
		return 1
	}
	return len(r.frames)
}

// message is the i-th packet as a message that can be kept.
func (r *run) message(i int, expires session.Time) *session.Message {
	if len(r.kept) == 0 {
		r.kept = append(r.kept, make([]*session.Message, len(r.frames))...)
	}
	if r.kept[i] == nil {
		f := r.frames[i]
		r.kept[i] = session.NewMessage(r.topic, r.bytes[f.payload:f.end], expires)
	}
	return r.kept[i]
}

// atQoS0 returns the run's packets at QoS 0. They are valid as long as the chunk.
func (r *run) atQoS0() []byte {
	if r.qos == 0 {
		return r.bytes
	}
	if len(r.ends) == 0 {
		for _, f := range r.frames {
			p := packet.Publish{Topic: r.topic, Payload: r.bytes[f.payload:f.end]}
			r.lower = p.AppendTo(r.lower)
			r.ends = append(r.ends, len(r.lower)-r.from)
		}
	}
	return r.lower[r.from:]
}

// endAtQoS0 is where the i-th packet of atQoS0 ends.
func (r *run) endAtQoS0(i int) int {
	if r.qos == 0 {
		return r.frames[i].end
	}
	return r.ends[i]
}

// appendQoS1 appends the i-th packet of a QoS 1 run with the given identifier.
func (r *run) appendQoS1(dst []byte, i int, id uint16) []byte {
	f := &r.frames[i]
	at := len(dst)
	dst = append(dst, r.bytes[f.start:f.end]...)
	binary.BigEndian.PutUint16(dst[at+f.payload-f.start-2:], id)
	return dst
}
