package broker

import (
	"net"
	"sync"
	"time"

	"sampan/broker/internal/netx"
)

// BareListener is a listener that hands on what another one accepts, as it is. Of a TCP listener the broker then
// takes the connections itself, without Accept.
type BareListener interface {
	net.Listener
	// Bare is the other listener, or nil if something is done with its connections.
	Bare() net.Listener
}

// bareTCP returns the TCP listener that ln is, or nil.
func bareTCP(ln net.Listener) *net.TCPListener {
	if b, ok := ln.(BareListener); ok {
		ln = b.Bare()
	}
	tcp, _ := ln.(*net.TCPListener)
	return tcp
}

// acceptor takes in the connections of a TCP listener on the poller's goroutines.
type acceptor struct {
	broker   *Broker
	listener *net.TCPListener
	watch    *netx.Listener
	name     string
	local    net.Addr   // of every connection; nil if they differ
	ended    chan error // has why it has ended by itself

	mu    sync.Mutex // held while connections are taken; guards what follows
	over  bool
	pause time.Duration // after the last error
}

// acceptBatch is how many connections are taken before others have their turn.
const acceptBatch = 128

// listenerLook is how often a listener is looked at that somebody else may have closed.
const listenerLook = time.Second

func (b *Broker) newAcceptor(ln *net.TCPListener, name string) (a *acceptor, err error) {
	a = &acceptor{broker: b, listener: ln, name: name, ended: make(chan error, 1)}
	if local := ln.Addr().(*net.TCPAddr); !local.IP.IsUnspecified() {
		a.local = local
	}
	a.watch, err = b.poller.Listen(ln, a)
	return a, err
}

// serve returns when the broker is shut down or the listener has failed.
func (a *acceptor) serve() error {
	defer func() {
		a.watch.Close()
		a.mu.Lock()
		a.over = true
		a.mu.Unlock()
	}()
	if err := a.watch.Park(); err != nil {
		return a.broker.closedOr(err)
	}
	look := time.NewTicker(listenerLook)
	defer look.Stop()
	for {
		select {
		case <-a.broker.ctx.Done():
			return ErrClosed
		case err := <-a.ended:
			return a.broker.closedOr(err)
		case <-look.C:
			if !a.watch.Open() {
				_, err := a.listener.Accept()
				return a.broker.closedOr(err)
			}
		}
	}
}

// Readable takes the connections that wait, on the poller's goroutine, which leaves the poller where it has to
// wait.
func (a *acceptor) Readable(t *netx.Turn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return
	}
	err := a.take(t)
	if err == nil {
		err = a.watch.Park()
	}
	if err != nil {
		a.ended <- err
		a.over = true
	}
}

// Closed is not called.
func (a *acceptor) Closed() {}

// take takes some connections. An error is the end.
func (a *acceptor) take(t *netx.Turn) error {
	b := a.broker
	for range acceptBatch {
		socket, remote, err := a.watch.Accept()
		if err != nil {
			if !passing(err) {
				return err
			}
			t.Leave()
			return a.rest(err)
		}
		a.pause = 0
		if socket == nil {
			return nil
		}
		channel := Channel{Local: a.local, Remote: remote, Listener: a.name}
		if a.local == nil {
			channel.Local = socket.LocalAddr()
		}
		if err := b.serveSocket(t, socket, channel); err != nil {
			return err
		}
	}
	return nil
}

// rest waits, longer each time, after an error that is about the moment.
func (a *acceptor) rest(err error) error {
	b := a.broker
	a.pause = nextPause(a.pause)
	b.cannotAccept(a.name, err, a.pause)
	select {
	case <-b.after(a.pause):
		return nil
	case <-b.ctx.Done():
		return ErrClosed
	}
}
