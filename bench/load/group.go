package load

import (
	"sync"

	"sampan/bench/proof"
)

// group follows the streams that receivers share: each message has to come to
// one of them. There is no order among receivers, so none is looked for.
type group struct {
	mu       sync.Mutex
	trackers []proof.Tracker // guarded by mu
}

func newGroup(streams int) *group { return &group{trackers: make([]proof.Tracker, streams)} }

// first reports whether a message comes for the first time.
func (g *group) first(m proof.Stamp) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := &g.trackers[m.Stream]
	if t.Expected(m.Seq) {
		return true
	}
	a, _ := t.Unexpected(m.Seq)
	return a != proof.Doubled
}
