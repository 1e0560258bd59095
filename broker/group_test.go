package broker

import (
	"sync"
	"testing"
)

// A group may grow while somebody waits, and tells everybody who waits.
func TestGroup(t *testing.T) {
	var g group
	<-g.zero() // nothing was ever added
	g.add()
	g.add()
	first := g.zero()
	g.done()
	select {
	case <-first:
		t.Fatal("one is left, but the channel is closed")
	default:
	}
	g.add()
	second := g.zero()
	g.done()
	g.done()
	<-first
	<-second
	<-g.zero()

	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				g.add()
				ch := g.zero()
				g.done()
				<-ch
			}
		})
	}
	wg.Wait()
}
