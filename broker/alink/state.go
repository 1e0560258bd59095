package alink

import (
	"container/list"
	"sync"
)

// state is what is kept of one device. It is in memory; what a device posts again after a restart, and what
// the server sets, is there again then.
type state struct {
	key        string
	properties map[string]Property
	desired    map[string]Desired
	shadow     document
	firmware   map[string]string // version by module
}

// states is the state of every device that has some, the most recently used first.
type states struct {
	mu    sync.Mutex
	max   int
	byKey map[string]*list.Element
	order list.List
}

// with calls f with a device's state, under the lock: f does not wait.
func (s *states) with(productKey, deviceName string, f func(*state)) {
	key := productKey + "/" + deviceName
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byKey == nil {
		s.byKey = make(map[string]*list.Element)
	}
	e := s.byKey[key]
	if e == nil {
		for s.order.Len() >= s.max {
			last := s.order.Back()
			delete(s.byKey, last.Value.(*state).key)
			s.order.Remove(last)
		}
		e = s.order.PushFront(&state{key: key})
		s.byKey[key] = e
	} else {
		s.order.MoveToFront(e)
	}
	f(e.Value.(*state))
}

// forget drops a device's state.
func (s *states) forget(productKey, deviceName string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byKey[productKey+"/"+deviceName]; e != nil {
		delete(s.byKey, e.Value.(*state).key)
		s.order.Remove(e)
	}
}

// Forget drops what is kept of a device, for example because it was deleted.
func (s *Service) Forget(productKey, deviceName string) { s.states.forget(productKey, deviceName) }
