package logstore

import (
	"sampan/session"
	"sampan/session/internal/queue"
	"sampan/session/wal"
)

// A part of a recPart is a session as it is when it is written, or a range of its queue:
//
//	flags, session
//	the first part: identity, expiry, the last doubtful message, number of subscriptions, each with filter
//	    and QoS
//	number of messages, each with
//	    the difference of its Ref to the one before
//	    packet identifier
//	    the difference of its position to the one before
//	    size, and the difference of its expiry to the one before
//
// So a message costs about ten bytes for each queue that it is in. Every part is exact at its place in the
// log: what happens to the session later comes behind it.
const (
	partFirst = 1 << iota
	partLast

	// partAway: no connection uses the session. Without it, and with an expiry of 0, one does; so it is too in
	// stores written before there was this flag, where it is not known of sessions that never expire.
	partAway
)

// linear makes positions that are near to each other near as numbers.
func linear(p wal.Pos) int64 {
	return int64(p.Segment())<<offsetBits | int64(p.Offset()/8)
}

func unlinear(n int64) wal.Pos {
	return wal.At(uint32(n>>offsetBits), uint32(n&(1<<offsetBits-1))*8)
}

// appendPart appends a session's next part to b: with the messages behind after, at most as many. It returns
// the last message in it, and whether the session is complete. The session's shard is locked.
func (x *index) appendPart(b []byte, id session.ID, st *state, first bool, after session.Ref, most int) (
	rec []byte, last session.Ref, complete bool) {
	places := st.queue.Behind(after)
	n, end := 0, 0
	for ; end < len(places) && n < most; end++ {
		if !places[end].Empty() {
			n++
		}
	}
	complete = end == len(places)
	flags := byte(0)
	if first {
		flags |= partFirst
	}
	if complete {
		flags |= partLast
	}
	if first && !st.connected {
		flags |= partAway
	}
	b = append(b, flags)
	b = appendUint(b, uint64(id))
	if first {
		b = appendString(b, st.identity)
		b = appendInt(b, int64(st.until))
		b = appendUint(b, uint64(st.doubtful))
		b = appendUint(b, uint64(len(st.filters)))
		for f, qos := range st.filters {
			b = appendString(b, f)
			b = append(b, qos)
		}
	}
	b = appendUint(b, uint64(n))
	last = after
	var prev info
	ref := session.Ref(0)
	for _, p := range places[:end] {
		if last = p.Ref(); p.Empty() {
			continue
		}
		m, _ := x.table.get(p.Ref())
		b = appendUint(b, uint64(p.Ref()-ref))
		b = appendUint(b, uint64(p.PacketID()))
		b = appendInt(b, linear(m.pos)-linear(prev.pos))
		b = appendUint(b, uint64(m.size))
		b = appendInt(b, int64(m.expires-prev.expires))
		prev, ref = m, p.Ref()
	}
	return b, last, complete
}

// part reads a part.
func (r *recovery) part(d *decoder) {
	flags := d.byte()
	id := session.ID(d.uint())
	if d.bad {
		return
	}
	r.sawID(id)
	st := r.index.session(id)
	known := st != nil && !st.partial
	if flags&partFirst != 0 {
		if st != nil && (st.partial || r.damaged) {
			r.index.close(id, st) // from a checkpoint that was not completed, or not to be trusted
			known = false
		}
		if fresh := r.partHead(d, id, flags&partAway != 0, known); fresh != nil {
			st = fresh
		}
	}
	if known || d.bad {
		st = nil // read over it
	}
	n := d.uint()
	var pos int64
	ref, expires := session.Ref(0), session.Time(0)
	for i := uint64(0); i < n && !d.bad; i++ {
		ref += session.Ref(d.uint())
		packet := uint16(d.uint())
		pos += d.int()
		size := d.uint()
		expires += session.Time(d.int())
		if d.bad = d.bad || ref > queue.MaxRef || size > maxSize; d.bad || st == nil {
			continue
		}
		if !r.index.push(id, st, queue.At(ref, packet), int(size)) {
			continue
		}
		if known := r.index.table.count(ref, 1); known == 0 {
			r.index.table.put(ref, info{unlinear(pos), int(size), expires, 1})
		} else {
			st.bytes += int64(known) - int64(size) // the same, unless the record is nonsense
		}
	}
	r.sawRef(ref)
	if st != nil && flags&partLast != 0 {
		st.partial = false
	}
}

// partHead reads the front of a session's first part and begins the session, unless it is known.
func (r *recovery) partHead(d *decoder, id session.ID, away, known bool) *state {
	identity := d.string()
	until := session.Time(d.int())
	doubtful := session.Ref(d.uint())
	var st *state
	if !known && !d.bad {
		st = r.index.open(id, identity)
		st.connected, st.until, st.doubtful, st.partial = !away && until == 0, until, doubtful, true
	}
	for n := d.uint(); n > 0 && !d.bad; n-- {
		filter := d.string()
		qos := d.byte()
		if st != nil && !d.bad {
			r.index.change(st, &session.Change{Kind: session.Subscribed, Session: id, Filter: filter, QoS: qos})
		}
	}
	return st
}
