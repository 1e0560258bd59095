package broker

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// NamedListener gives a listener the name under which its connections appear in Channel and in logs. Without
// one the name is the listener's address.
type NamedListener interface {
	net.Listener
	Name() string
}

// accept is the accept loop. When the process has run out of descriptors or memory it waits and tries
// again, so that the connections there are go on.
func (b *Broker) accept(ln net.Listener) error {
	name := ln.Addr().String()
	if n, ok := ln.(NamedListener); ok {
		name = n.Name()
	}
	pause := time.Duration(0)
	for {
		nc, err := ln.Accept()
		if err != nil {
			// Shutdown closes the listeners before it cancels the context.
			b.mu.Lock()
			closed := b.closed
			b.mu.Unlock()
			if closed {
				return ErrClosed
			}
			if !passing(err) {
				return err
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			b.log.Warn("cannot accept connections for now", "listener", name, "error", err, "retryIn", pause)
			select {
			case <-b.after(pause):
				continue
			case <-b.ctx.Done():
				return ErrClosed
			}
		}
		pause = 0
		if b.start(nc, name, true) == ErrClosed {
			return ErrClosed
		}
	}
}

// passing reports whether an error of Accept is about the moment, not about the listener.
func passing(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// after is time.After by the broker's clock.
func (b *Broker) after(d time.Duration) <-chan struct{} {
	ch := make(chan struct{})
	b.opts.Clock.AfterFunc(d, func() { close(ch) })
	return ch
}
