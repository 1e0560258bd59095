package memstore

import (
	"sync"

	"sampan/session"
)

// table holds each stored message once, with the number of queues it is in. Refs are dense, so the messages
// are kept in pages of 64 neighbours: a map finds a page, not a message.
type table struct {
	parts [tableParts]tablePart
}

const (
	tableParts  = 16
	pageEntries = 64
	pageBytes   = pageEntries*16 + 8 + 32 // with its share of the map
)

type tablePart struct {
	mu       sync.Mutex // guards all below
	pages    map[session.Ref]*page
	spare    *page // an empty page, kept so that a short queue does not allocate
	messages int
	bytes    int64
}

type page struct {
	live    int
	entries [pageEntries]entry
}

type entry struct {
	m       *session.Message
	waiting int // queues that the message is in
}

func (t *table) init() {
	for i := range t.parts {
		p := &t.parts[i]
		p.mu.Lock()
		p.pages, p.spare = nil, nil
		p.messages, p.bytes = 0, 0
		p.mu.Unlock()
	}
}

func (t *table) part(r session.Ref) *tablePart {
	return &t.parts[r/pageEntries%tableParts]
}

// put stores a message that is in so many queues.
func (t *table) put(r session.Ref, m *session.Message, waiting int) {
	p := t.part(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	pg := p.pages[r/pageEntries]
	if pg == nil {
		if pg = p.spare; pg == nil {
			pg = new(page)
		}
		p.spare = nil
		if p.pages == nil {
			p.pages = make(map[session.Ref]*page)
		}
		p.pages[r/pageEntries] = pg
	}
	pg.live++
	pg.entries[r%pageEntries] = entry{m, waiting}
	p.messages++
	p.bytes += int64(m.Size())
}

// get returns a stored message, or nil.
func (t *table) get(r session.Ref) *session.Message {
	p := t.part(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	if pg := p.pages[r/pageEntries]; pg != nil {
		return pg.entries[r%pageEntries].m
	}
	return nil
}

// release notes that a stored message has left one queue, and frees it when that was the last.
func (t *table) release(r session.Ref) {
	p := t.part(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	pg := p.pages[r/pageEntries]
	if pg == nil {
		return // the store has been closed
	}
	e := &pg.entries[r%pageEntries]
	if e.waiting--; e.waiting > 0 {
		return
	}
	p.messages--
	p.bytes -= int64(e.m.Size())
	*e = entry{}
	if pg.live--; pg.live == 0 {
		delete(p.pages, r/pageEntries)
		p.spare = pg
	}
}

// size returns the number of messages, the bytes of their packets, and the number of pages.
func (t *table) size() (messages int, bytes int64, pages int) {
	for i := range t.parts {
		p := &t.parts[i]
		p.mu.Lock()
		messages += p.messages
		bytes += p.bytes
		pages += len(p.pages)
		p.mu.Unlock()
	}
	return messages, bytes, pages
}
