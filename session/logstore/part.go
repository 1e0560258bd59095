package logstore

import (
	"slices"

	"sampan/session"
	"sampan/session/internal/queue"
	"sampan/session/wal"
)

// A part of a recPart is a session as it is when it is written, or some of its filters and a range of its queue:
//
//	flags, session
//	the first part: identity, expiry, the last doubtful message
//	the first part, and those with partFilters: number of subscriptions, each with filter and QoS
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

	// partFilters: this is not the first part, and yet has subscriptions: there are too many for one record.
	partFilters
)

// linear makes positions that are near to each other near as numbers.
func linear(p wal.Pos) int64 {
	return int64(p.Segment())<<offsetBits | int64(p.Offset()/8)
}

func unlinear(n int64) wal.Pos {
	return wal.At(uint32(n>>offsetBits), uint32(n&(1<<offsetBits-1))*8)
}

// progress is how far the parts of a session have been written.
type progress struct {
	begun   bool
	filters []string    // still to be written, if they are still subscribed to then
	after   session.Ref // the messages up to this one have been
}

// begin notes what there is to write of a session that nothing has been written of.
func (p *progress) begin(st *state) {
	p.begun, p.after, p.filters = true, 0, p.filters[:0]
	for f := range st.filters {
		p.filters = append(p.filters, f)
	}
}

// appendPart appends a session's next part to b: with as many filters as a record has room for, and, if they are
// the last, at most so many messages. It reports whether the session is complete. The session's shard is locked.
func (x *index) appendPart(b []byte, id session.ID, st *state, p *progress, most int) (rec []byte, complete bool) {
	at, first := len(b), !p.begun
	b = append(b, 0)
	b = appendUint(b, uint64(id))
	flags := byte(0)
	if first {
		p.begin(st)
		flags |= partFirst
		if !st.connected {
			flags |= partAway
		}
		b = appendString(b, st.identity)
		b = appendInt(b, int64(st.until))
		b = appendUint(b, uint64(st.doubtful))
	} else if len(p.filters) > 0 {
		flags |= partFilters
	}
	if flags&(partFirst|partFilters) != 0 {
		b = p.appendFilters(b, st)
	}
	if len(p.filters) > 0 {
		b = appendUint(b, 0)
	} else if b, complete = x.appendMessages(b, st, p, most); complete {
		flags |= partLast
	}
	b[at] = flags
	return b, complete
}

// appendFilters appends filters until the record has its length. There is room for one at least, if it has only
// begun.
func (p *progress) appendFilters(b []byte, st *state) []byte {
	left := len(p.filters)
	for size := len(b); left > 0 && size < partBytes; left-- {
		size += len(p.filters[left-1])
	}
	next := p.filters[left:]
	p.filters = p.filters[:left]
	next = slices.DeleteFunc(next, func(f string) bool { _, there := st.filters[f]; return !there })
	b = appendUint(b, uint64(len(next)))
	for _, f := range next {
		b = appendString(b, f)
		b = append(b, st.filters[f])
	}
	return b
}

// appendMessages appends the next messages of a session, and reports whether they are the last.
func (x *index) appendMessages(b []byte, st *state, p *progress, most int) (rec []byte, complete bool) {
	places := st.queue.Behind(p.after)
	n, end := 0, 0
	for ; end < len(places) && n < most; end++ {
		if !places[end].Empty() {
			n++
		}
	}
	b = appendUint(b, uint64(n))
	var prev info
	ref := session.Ref(0)
	for _, place := range places[:end] {
		if p.after = place.Ref(); place.Empty() {
			continue
		}
		m, _ := x.table.get(place.Ref())
		b = appendUint(b, uint64(place.Ref()-ref))
		b = appendUint(b, uint64(place.PacketID()))
		b = appendInt(b, linear(m.pos)-linear(prev.pos))
		b = appendUint(b, uint64(m.size))
		b = appendInt(b, int64(m.expires-prev.expires))
		prev, ref = m, place.Ref()
	}
	return b, end == len(places)
}

// part reads a part.
func (r *recovery) part(d *decoder) {
	flags := d.byte()
	id := session.ID(d.uint())
	if d.bad {
		return
	}
	r.sawID(id)
	var st *state // nil: the session is known, or its first part is not; the part is read over
	if flags&partFirst != 0 {
		r.list(id)
		st = r.partHead(d, id, flags&partAway != 0)
	} else {
		st = r.half[id]
	}
	if d.bad {
		return
	}
	if flags&(partFirst|partFilters) != 0 {
		r.partFilters(d, id, st)
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
		push := r.index.push
		if !st.partial {
			push = r.index.insert // what came behind a damaged part is there already
		}
		if !push(id, st, queue.At(ref, packet), int(size)) {
			continue
		}
		if known := r.index.table.count(ref, 1); known == 0 {
			r.index.table.put(ref, info{unlinear(pos), int(size), expires, 1})
		} else {
			st.bytes += int64(known) - int64(size) // the same, unless the record is nonsense
		}
	}
	r.sawRef(ref)
	switch {
	case st == nil:
	case flags&partLast != 0 && !d.bad:
		r.complete(id, st)
	default:
		if r.half == nil {
			r.half = make(map[session.ID]*state)
		}
		r.half[id] = st
	}
}

// partHead reads the front of a session's first part and begins the session, unless it is known.
func (r *recovery) partHead(d *decoder, id session.ID, away bool) *state {
	identity := d.string()
	until := session.Time(d.int())
	doubtful := session.Ref(d.uint())
	if d.bad {
		return nil
	}
	r.drop(id) // from a checkpoint that was not completed
	known := r.index.session(id)
	if known != nil && known.partial {
		r.index.close(id, known) // the same
		known = nil
	}
	if known != nil && !r.damaged {
		return nil
	}
	st := r.index.prepare(id, identity)
	st.connected, st.until, st.doubtful, st.partial = !away && until == 0, until, doubtful, true
	if known == nil {
		r.index.enter(id, st)
	}
	return st
}

// complete ends the last part of a session.
func (r *recovery) complete(id session.ID, st *state) {
	delete(r.half, id)
	st.partial = false
	if known := r.index.session(id); known != st {
		r.index.close(id, known)
		r.index.enter(id, st)
	}
}

// drop forgets what the parts of a session have said so far, if the session is known without them.
func (r *recovery) drop(id session.ID) {
	if st := r.half[id]; st != nil {
		delete(r.half, id)
		if st != r.index.session(id) {
			r.index.release(id, st)
		}
	}
}

// partFilters reads the subscriptions of a part. Those that came or changed since the part before are not new.
func (r *recovery) partFilters(d *decoder, id session.ID, st *state) {
	for n := d.uint(); n > 0 && !d.bad; n-- {
		filter := d.string()
		qos := d.byte()
		if st != nil && !d.bad {
			r.index.change(st, &session.Change{Kind: session.Subscribed, Session: id, Filter: filter, QoS: qos})
		}
	}
}
