package logstore

import (
	"maps"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"sampan/session"
	"sampan/session/wal"
)

// table knows where in the log each stored message is. Refs are dense, so messages are kept in pages of 64
// neighbours, each of which holds only those that are still waited for.
type table struct {
	newest atomic.Uint64 // the highest page that there was
	near   atomic.Uint32 // a segment of the log, to unpack positions
	parts  [tableParts]tablePart
}

const (
	tableParts  = 16
	pageEntries = 64
	pageBytes   = 48 + 36 // of an empty page, with its share of the map
	extraBytes  = 64
)

type tablePart struct {
	mu     sync.Mutex // guards all below
	pages  map[uint64]*page
	extras map[session.Ref]extra
	spare  *page // empty, with room for all its entries

	messages int
	bytes    int64
	slots    int              // entries allocated
	live     map[uint32]int64 // segment: bytes of the messages there that are waited for
	recent   uint32           // the segment of the last message that was put
	here     int64            // its bytes, which are not in live
}

// page holds the messages whose bit in has is set, in the order of their Refs.
type page struct {
	has     uint64
	base    session.Time // of expiries; 0: no message here expires
	entries []entry
}

// extra is what does not fit in an entry.
type extra struct {
	waiting int
	expires session.Time
}

func (t *table) init() {
	for i := range t.parts {
		p := &t.parts[i]
		p.mu.Lock()
		p.pages, p.extras = make(map[uint64]*page), make(map[session.Ref]extra)
		p.live = make(map[uint32]int64)
		p.spare, p.messages, p.bytes, p.slots, p.recent, p.here = nil, 0, 0, 0, 0, 0
		p.mu.Unlock()
	}
}

func pageOf(r session.Ref) uint64 { return uint64(r) / pageEntries }

func (t *table) part(page uint64) *tablePart { return &t.parts[page%tableParts] }

// rank returns the index of a message's entry in its page, and whether it has one.
func (pg *page) rank(r session.Ref) (i int, has bool) {
	bit := uint64(1) << (r % pageEntries)
	return bits.OnesCount64(pg.has & (bit - 1)), pg.has&bit != 0
}

// put stores where a message is, that is in m.waiting queues, at least one.
func (t *table) put(r session.Ref, m info) {
	n := pageOf(r)
	p := t.part(n)
	p.mu.Lock()
	pg := p.pages[n]
	fresh := pg == nil
	if fresh {
		if pg = p.spare; pg == nil {
			pg = &page{entries: make([]entry, 0, pageEntries)}
			p.slots += pageEntries
		}
		p.spare = nil
		p.pages[n] = pg
	}
	i, has := pg.rank(r)
	if !has {
		before := cap(pg.entries)
		pg.entries = append(pg.entries, entry{})
		copy(pg.entries[i+1:], pg.entries[i:])
		pg.has |= 1 << (r % pageEntries)
		p.slots += cap(pg.entries) - before
	}
	if m.expires != 0 && pg.base == 0 {
		pg.base = expiryBase(m.expires)
	}
	e := entry{at: packPos(m.pos), size: uint64(m.size)<<sizeShift | packExpiry(m.expires, pg.base)}
	if m.waiting < manyWaiting {
		e.at |= uint64(m.waiting)
	} else {
		e.at |= manyWaiting
	}
	if e.at&waitingMask == manyWaiting || e.size&expiryMask == farExpiry {
		p.extras[r] = extra{m.waiting, m.expires}
	}
	pg.entries[i] = e
	p.messages++
	p.bytes += int64(m.size)
	p.enter(m.pos, m.size)
	p.mu.Unlock()

	if fresh {
		if before := t.newest.Swap(n); before < n {
			t.shrink(before)
		} else if before > n {
			t.newest.CompareAndSwap(n, before)
		}
	}
}

// unpack returns an entry in plain.
func (p *tablePart) unpack(t *table, pg *page, e entry, r session.Ref) info {
	m := info{
		pos:     e.pos(t.near.Load()),
		size:    int(e.size >> sizeShift),
		waiting: int(e.at & waitingMask),
	}
	if x := e.size & expiryMask; x != 0 {
		m.expires = pg.base + session.Time(x)
	}
	if m.waiting == manyWaiting || e.size&expiryMask == farExpiry {
		x := p.extras[r]
		m.waiting, m.expires = x.waiting, x.expires
	}
	return m
}

// get returns a stored message's entry.
func (t *table) get(r session.Ref) (m info, ok bool) {
	n := pageOf(r)
	p := t.part(n)
	p.mu.Lock()
	defer p.mu.Unlock()
	pg := p.pages[n]
	if pg == nil {
		return m, false
	}
	i, has := pg.rank(r)
	if !has {
		return m, false
	}
	return p.unpack(t, pg, pg.entries[i], r), true
}

// release notes that a stored message has left one queue, forgets it when that was the last, and returns its
// size.
func (t *table) release(r session.Ref) (size int) {
	return t.count(r, -1)
}

// count changes in how many queues a stored message is, and returns its size, or 0 if it is not stored.
func (t *table) count(r session.Ref, by int) (size int) {
	n := pageOf(r)
	p := t.part(n)
	p.mu.Lock()
	defer p.mu.Unlock()
	pg := p.pages[n]
	if pg == nil {
		return 0
	}
	i, has := pg.rank(r)
	if !has {
		return 0
	}
	m := p.unpack(t, pg, pg.entries[i], r)
	if m.waiting += by; m.waiting > 0 {
		p.setWaiting(&pg.entries[i], r, m)
		return m.size
	}
	delete(p.extras, r)
	p.messages--
	p.bytes -= int64(m.size)
	p.leave(m)
	pg.entries = append(pg.entries[:i], pg.entries[i+1:]...)
	if pg.has &^= 1 << (r % pageEntries); pg.has == 0 {
		delete(p.pages, n)
		p.discard(pg)
	} else if n < t.newest.Load() && len(pg.entries) <= cap(pg.entries)/4 {
		p.shrink(pg)
	}
	return m.size
}

func (p *tablePart) setWaiting(e *entry, r session.Ref, m info) {
	e.at = e.at&^waitingMask | uint64(min(m.waiting, manyWaiting))
	if m.waiting >= manyWaiting || e.size&expiryMask == farExpiry {
		p.extras[r] = extra{m.waiting, m.expires}
	} else {
		delete(p.extras, r)
	}
}

// enter puts a message on its segment's account.
func (p *tablePart) enter(pos wal.Pos, size int) {
	if s := pos.Segment(); s != p.recent {
		p.settle()
		p.recent, p.here = s, p.live[s]
		delete(p.live, s)
	}
	p.here += int64(size)
}

// settle puts what is kept apart for the last segment with the others.
func (p *tablePart) settle() {
	if p.here != 0 {
		p.live[p.recent] = p.here
	}
	p.recent, p.here = 0, 0
}

// leave takes a message from its segment's account.
func (p *tablePart) leave(m info) {
	s := m.pos.Segment()
	if s == p.recent {
		p.here -= int64(m.size)
		return
	}
	if p.live[s] -= int64(m.size); p.live[s] == 0 {
		delete(p.live, s)
	}
}

// discard gives up an empty page, or keeps it for the next.
func (p *tablePart) discard(pg *page) {
	if p.spare == nil && cap(pg.entries) == pageEntries {
		*pg = page{entries: pg.entries[:0]}
		p.spare = pg
		return
	}
	p.slots -= cap(pg.entries)
}

// shrink gives back the memory of the entries that have gone from a page that gets no new ones.
func (t *table) shrink(n uint64) {
	p := t.part(n)
	p.mu.Lock()
	defer p.mu.Unlock()
	if pg := p.pages[n]; pg != nil && len(pg.entries) < cap(pg.entries)*3/4 {
		p.shrink(pg)
	}
}

func (p *tablePart) shrink(pg *page) {
	p.slots -= cap(pg.entries)
	pg.entries = append(make([]entry, 0, len(pg.entries)), pg.entries...)
	p.slots += cap(pg.entries)
}

// move notes that a message has been copied from one place in the log to another by add, which is called
// only if it is still at the first.
func (t *table) move(r session.Ref, from wal.Pos, add func() (wal.Pos, error)) (moved bool, err error) {
	n := pageOf(r)
	p := t.part(n)
	p.mu.Lock()
	defer p.mu.Unlock()
	pg := p.pages[n]
	if pg == nil {
		return false, nil
	}
	i, has := pg.rank(r)
	if !has {
		return false, nil
	}
	e := &pg.entries[i]
	m := p.unpack(t, pg, *e, r)
	if from != 0 && m.pos != from {
		return false, nil
	}
	to, err := add()
	if err != nil {
		return false, err
	}
	p.leave(m)
	p.enter(to, m.size)
	e.at = packPos(to) | e.at&waitingMask
	return true, nil
}

// each calls fn for every message, in the order of their Refs in each part. fn must not use the table.
func (t *table) each(fn func(session.Ref, info)) {
	for i := range t.parts {
		p := &t.parts[i]
		p.mu.Lock()
		for _, n := range slices.Sorted(maps.Keys(p.pages)) {
			pg := p.pages[n]
			for i, has := 0, pg.has; has != 0; i, has = i+1, has&(has-1) {
				r := session.Ref(n*pageEntries + uint64(bits.TrailingZeros64(has)))
				fn(r, p.unpack(t, pg, pg.entries[i], r))
			}
		}
		p.mu.Unlock()
	}
}

// tableSize is what a table holds.
type tableSize struct {
	messages int
	bytes    int64 // of their packets
	memory   int64
}

func (t *table) size() (s tableSize) {
	for i := range t.parts {
		p := &t.parts[i]
		p.mu.Lock()
		s.messages += p.messages
		s.bytes += p.bytes
		s.memory += int64(p.slots*entryBytes + len(p.pages)*pageBytes + len(p.extras)*extraBytes)
		p.mu.Unlock()
	}
	return s
}

// live adds up, by segment, the bytes of messages that are waited for.
func (t *table) live() map[uint32]int64 {
	sum := map[uint32]int64{}
	for i := range t.parts {
		p := &t.parts[i]
		p.mu.Lock()
		p.settle()
		for s, n := range p.live {
			sum[s] += n
		}
		p.mu.Unlock()
	}
	return sum
}
