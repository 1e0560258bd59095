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

func listenerName(ln net.Listener) string {
	if n, ok := ln.(NamedListener); ok {
		return n.Name()
	}
	return ln.Addr().String()
}

// accept is the accept loop. When the process has run out of descriptors or memory it waits and tries
// again, so that the connections there are go on.
func (b *Broker) accept(ln net.Listener) error {
	name := listenerName(ln)
	pause := time.Duration(0)
	for {
		nc, err := ln.Accept()
		if err != nil {
			if err = b.closedOr(err); !passing(err) {
				return err
			}
			pause = nextPause(pause)
			b.cannotAccept(name, err, pause)
			select {
			case <-b.after(pause):
				continue
			case <-b.ctx.Done():
				return ErrClosed
			}
		}
		pause = 0
		if b.serveConn(nc, name, true) == ErrClosed {
			return ErrClosed
		}
	}
}

// closedOr is ErrClosed if the broker is shut down, and err otherwise.
func (b *Broker) closedOr(err error) error {
	b.mu.Lock() // Shutdown closes the listeners before it cancels the context
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	return err
}

// nextPause is how long to wait after one more error.
func nextPause(last time.Duration) time.Duration {
	return min(max(2*last, 5*time.Millisecond), time.Second)
}

func (b *Broker) cannotAccept(listener string, err error, pause time.Duration) {
	b.log.Warn("cannot accept connections for now", "listener", listener, "error", err, "retryIn", pause)
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
