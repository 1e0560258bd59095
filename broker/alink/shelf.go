package alink

import (
	"container/list"
	"errors"
	"hash/maphash"
	"strconv"
	"sync"

	"sampan/broker/alink/envelope"
	"sampan/broker/ledger"
)

// shelf is one kind of what is kept of devices: all of it as JSON in the ledger, and what was used last as
// values as well.
type shelf[T any] struct {
	kept records[T]
	seed maphash.Seed
	// unreadable is told of a record that is none, and is taken as if it were not there.
	unreadable func(kind ledger.Kind, key string, err error)

	parts [shelfParts]shelfPart[T]
}

const (
	shelfParts = 32
	// shelfBytes bounds the values that one part holds, measured as JSON; a value takes a few times that.
	shelfBytes = 512 << 10
)

// shelfPart is the devices of which the keys have one hash.
type shelfPart[T any] struct {
	mu    sync.Mutex // held while a device's value is read and changed
	byKey map[string]*list.Element
	order list.List // the most recently used first
	bytes int
}

// held is a value that is held in memory.
type held[T any] struct {
	key     string
	value   T
	size    int // of what is kept of it
	counted int // in the part's bytes
}

// tooLarge says that what is to be kept of a device is too large.
type tooLarge struct{ size, limit int }

func (e *tooLarge) Error() string {
	return "alink: what is kept of the device would have " + strconv.Itoa(e.size) + " bytes, the limit is " + strconv.Itoa(e.limit)
}

// errTooDeep says that what is to be kept of a device is nested too deeply.
var errTooDeep = errors.New("alink: the value is nested more than " + strconv.Itoa(envelope.MaxDepth) + " levels deep")

func (s *shelf[T]) prepare(kept records[T], unreadable func(ledger.Kind, string, error)) {
	s.kept, s.seed, s.unreadable = kept, maphash.MakeSeed(), unreadable
	for i := range s.parts {
		s.parts[i].byKey = make(map[string]*list.Element)
	}
}

// with calls f with what is kept under a key, the zero value if there is nothing. If f reports that it has
// changed the value, that is kept, and holds when the ledger's Sync says so; otherwise f has left it as it
// was. After an error everything is as before. f does not wait, and does not keep v.
//
// A record that cannot be read is as good as none: what cannot be had back is not to keep a device from posting.
func (s *shelf[T]) with(key string, f func(v *T) (changed bool)) error {
	bad, err := s.change(key, f)
	if bad != nil {
		s.unreadable(bad.kind, key, bad.why)
	}
	return err
}

// change is with; bad is why a record could not be read, if one could not.
func (s *shelf[T]) change(key string, f func(v *T) (changed bool)) (bad *unread, err error) {
	p := &s.parts[maphash.String(s.seed, key)%shelfParts]
	p.mu.Lock()
	defer p.mu.Unlock()
	h, bad, err := s.find(p, key)
	if err != nil {
		return nil, err
	}
	if !f(&h.value) {
		s.hold(p, h)
		return bad, nil
	}
	if h.size, err = s.kept.write(key, &h.value); err != nil {
		p.drop(key) // the value is not what is kept
		return bad, err
	}
	s.hold(p, h)
	return bad, nil
}

// find returns the value of a key, from memory or from the ledger. If a record is there and cannot be read, bad
// says why; the value has the record's size, so that it is held, and the record not read each time. Called with mu held.
func (s *shelf[T]) find(p *shelfPart[T], key string) (h *held[T], bad *unread, err error) {
	if e := p.byKey[key]; e != nil {
		return e.Value.(*held[T]), nil, nil
	}
	h = &held[T]{key: key}
	h.value, h.size, bad, err = s.kept.read(key)
	return h, bad, err
}

// hold makes a value the most recently used, and gives up the others beyond the bound. Called with mu held.
func (s *shelf[T]) hold(p *shelfPart[T], h *held[T]) {
	p.drop(h.key)
	if h.size == 0 {
		return
	}
	p.byKey[h.key] = p.order.PushFront(h)
	h.counted = h.size
	for p.bytes += h.counted; p.bytes > shelfBytes; {
		p.drop(p.order.Back().Value.(*held[T]).key)
	}
}

// drop gives up the value of a key. Called with mu held.
func (p *shelfPart[T]) drop(key string) {
	if e := p.byKey[key]; e != nil {
		p.bytes -= e.Value.(*held[T]).counted
		delete(p.byKey, key)
		p.order.Remove(e)
	}
}

// forget gives up what is kept under a key.
func (s *shelf[T]) forget(key string) error {
	p := &s.parts[maphash.String(s.seed, key)%shelfParts]
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(key)
	return s.kept.delete(key)
}

// IsTooLarge reports whether an error is about the size of what was to be kept of a device, or about how deeply it
// is nested.
func IsTooLarge(err error) bool {
	var large *tooLarge
	return errors.As(err, &large) || errors.Is(err, ledger.ErrTooLarge) || errors.Is(err, errTooDeep)
}
