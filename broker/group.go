package broker

import "sync"

// group counts goroutines. Unlike a sync.WaitGroup it may be added to while somebody waits.
type group struct {
	mu    sync.Mutex
	n     int
	empty chan struct{} // closed when n falls to zero; nil: nobody waits
}

func (g *group) add() {
	g.mu.Lock()
	g.n++
	g.mu.Unlock()
}

func (g *group) done() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n--; g.n == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// zero returns a channel that is closed as soon as there is no goroutine.
func (g *group) zero() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.empty == nil {
		g.empty = make(chan struct{})
	}
	ch := g.empty
	if g.n == 0 {
		close(g.empty)
		g.empty = nil
	}
	return ch
}
