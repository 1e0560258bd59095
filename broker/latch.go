package broker

import "sync/atomic"

// latch is closed once, and tells those who wait for that. Its channel is made for the first of them: most
// connections end without anybody having waited.
type latch struct{ ch atomic.Pointer[chan struct{}] }

var shut = func() *chan struct{} {
	ch := make(chan struct{})
	close(ch)
	return &ch
}()

// close is called once.
func (l *latch) close() {
	if ch := l.ch.Swap(shut); ch != nil {
		close(*ch)
	}
}

// closed returns a channel that is closed with the latch.
func (l *latch) closed() <-chan struct{} {
	if ch := l.ch.Load(); ch != nil {
		return *ch
	}
	ch := make(chan struct{})
	if l.ch.CompareAndSwap(nil, &ch) {
		return ch
	}
	return *l.ch.Load()
}
