package script

import (
	"slices"

	"sampan/packet"
)

// Minimise returns the shortest script that it finds for which fails still reports true: one in which no step, no topic
// filter of a request, and nothing of what is said of the broker can be left out by itself. Steps are left out many at
// a time first. fails is called at most tries times, which may be too few for all that. The script itself is not changed.
func Minimise(s *Script, tries int, fails func(*Script) bool) *Script {
	m := &minimiser{best: *s, tries: tries, fails: fails}
	m.settings()
	for size := len(m.best.Steps) / 2; size > 1; size /= 2 {
		m.steps(size)
	}
	for m.steps(1) || m.joins() || m.filters() {
	}
	return &m.best
}

// minimiser is a search for a shorter script. Its methods report whether they have found one.
type minimiser struct {
	best  Script
	tries int // that are left
	fails func(*Script) bool
}

func (m *minimiser) try(next Script) bool {
	if m.tries == 0 {
		return false
	}
	m.tries--
	if !m.fails(&next) {
		return false
	}
	m.best = next
	return true
}

// settings leaves out what the script says of the broker and of the network.
func (m *minimiser) settings() {
	for _, plain := range []func(s *Script){
		func(s *Script) { s.Chunk = 0 },
		func(s *Script) {
			s.Disk = slices.ContainsFunc(s.Steps, func(st Step) bool { return st.Kind == PowerCut })
		},
		func(s *Script) { s.Other = false },
		func(s *Script) { s.Watched = false },
		func(s *Script) { s.Told = false },
	} {
		next, before := m.best, m.best
		if plain(&next); next.Chunk != before.Chunk || next.Disk != before.Disk || next.Other != before.Other ||
			next.Watched != before.Watched || next.Told != before.Told {
			m.try(next)
		}
	}
}

// steps leaves out so many steps in a row, wherever it can.
func (m *minimiser) steps(size int) (shorter bool) {
	for at := len(m.best.Steps) - size; at >= 0; at-- {
		if at+size > len(m.best.Steps) {
			continue
		}
		next := m.best
		next.Steps = unjoined(slices.Delete(slices.Clone(next.Steps), at, at+size))
		shorter = m.try(next) || shorter
	}
	return shorter
}

// joins sends in writes of their own what was sent in one.
func (m *minimiser) joins() (fewer bool) {
	for i, st := range m.best.Steps {
		if st.Join {
			fewer = m.try(m.with(i, func(st *Step) { st.Join = false })) || fewer
		}
	}
	return fewer
}

// filters leaves topic filters out of requests that have several.
func (m *minimiser) filters() (fewer bool) {
	for i := range m.best.Steps {
		for at := 0; m.best.Steps[i].Kind == Send; {
			raw, ok := withoutFilter(m.best.Steps[i].Raw, at)
			if !ok {
				break
			}
			if m.try(m.with(i, func(st *Step) { st.Raw = raw })) {
				fewer = true
			} else {
				at++
			}
		}
	}
	return fewer
}

// with returns the best script with one step changed.
func (m *minimiser) with(i int, change func(*Step)) Script {
	next := m.best
	next.Steps = slices.Clone(next.Steps)
	change(&next.Steps[i])
	return next
}

// withoutFilter returns a SUBSCRIBE or UNSUBSCRIBE of several filters without one of them.
func withoutFilter(raw []byte, at int) (shorter []byte, ok bool) {
	f, n, _, err := packet.Next(raw, nil)
	if err != nil || n == 0 || n != len(raw) {
		return nil, false
	}
	seen, kept := 0, 0
	keep := func() bool {
		seen++
		if seen-1 == at {
			return false
		}
		kept++
		return true
	}
	switch f.Type() {
	case packet.TypeSubscribe:
		var p packet.Subscribe
		if p.Decode(f, nil) != nil {
			return nil, false
		}
		q := packet.Subscribe{ID: p.ID}
		for filter, qos := range p.Asked() {
			if keep() {
				q.Add(filter, qos)
			}
		}
		shorter = q.AppendTo(nil)
	case packet.TypeUnsubscribe:
		var p packet.Unsubscribe
		if p.Decode(f, nil) != nil {
			return nil, false
		}
		q := packet.Unsubscribe{ID: p.ID}
		for filter := range p.All() {
			if keep() {
				q.Add(filter)
			}
		}
		shorter = q.AppendTo(nil)
	}
	return shorter, at < seen && kept > 0
}

// unjoined takes joins back whose first part is gone.
func unjoined(steps []Step) []Step {
	for i := range steps {
		if steps[i].Join && (i == 0 || steps[i-1].Kind != Send || steps[i-1].Conn != steps[i].Conn) {
			steps[i].Join = false
		}
	}
	return steps
}
