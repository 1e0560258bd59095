package broker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"sampan/broker/internal/admission"
	"sampan/broker/internal/deadline"
	"sampan/broker/internal/netx"
	"sampan/packet"
	"sampan/session"
	"sampan/session/memstore"
	"sampan/topictree"
)

// Broker is an MQTT broker. All its methods are safe for concurrent use.
type Broker struct {
	opts      Options
	log       *slog.Logger
	ticker    *ticker
	store     session.Store
	prompt    session.PromptStore // the same, or nil
	budget    session.Budget
	tree      *topictree.Tree[*client]
	clients   directory
	deadlines *deadline.Queue
	poller    *netx.Poller // watches the connections that are plain sockets
	stats     counters
	limits    [packet.Level311 + 1]packet.Limits // by protocol level; [0]: before CONNECT
	gate      gate
	strangers [reasonCount]*admission.Sparse // log lines about clients that are not known, by reason

	outboundBytes atomic.Int64  // that wait for sockets which do not take them
	connections   atomic.Uint64 // numbers given
	names         atomic.Uint64 // unique keys given
	losses        atomic.Uint64 // how often a client has lost subscriptions
	storeError    sync.Once
	closeStore    sync.Once
	storeClosed   chan error // has what Close returned, then closed

	// ctx ends when Shutdown begins. Authenticators and handshakes run under it.
	ctx    context.Context
	cancel context.CancelFunc

	goroutines group

	mu        sync.Mutex // guards what follows
	conns     roster
	listeners map[net.Listener]struct{}
	handlers  map[*Subscription]struct{}
	closed    bool
}

// ErrClosed is returned by Serve, ServeConn and Publish after Shutdown has begun.
var ErrClosed = errors.New("broker: closed")

// New returns a broker with the sessions that its store holds. It serves nobody until Serve or ServeConn is
// called. The error names every mistake in the options, or what is wrong with the store.
func New(o Options) (*Broker, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	b := &Broker{
		opts:        o,
		log:         o.Logger,
		ticker:      newTicker(o.Clock),
		store:       o.Store,
		tree:        topictree.New[*client](topictree.Options{}),
		listeners:   make(map[net.Listener]struct{}),
		handlers:    make(map[*Subscription]struct{}),
		storeClosed: make(chan error, 1),
	}
	if b.store == nil {
		b.store = memstore.New()
	}
	b.prompt, _ = b.store.(session.PromptStore)
	b.budget.MaxMessages, b.budget.MaxBytes = o.QueueTotalMessages, o.QueueTotalBytes
	b.deadlines = deadline.New(b.ticker)
	b.poller = netx.NewPoller(b.goroutines.add, b.goroutines.done)
	b.gate = newGate(&b.opts, b.ticker)
	for r := range b.strangers {
		b.strangers[r] = admission.NewSparse(strangerLines, strangerBurst, b.ticker)
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.limits[0] = *o.Limits
	b.limits[0].Types = packet.FirstFromClient
	b.limits[0].Connect = o.MaxConnectBytes
	for _, level := range []byte{packet.Level31, packet.Level311} {
		b.limits[level] = *o.Limits
		b.limits[level].Level = level
		b.limits[level].Types = packet.FromClient
	}
	if err := b.recover(); err != nil {
		return nil, fmt.Errorf("broker: recovering sessions: %w", err)
	}
	return b, nil
}

// recover brings back the sessions of the store. None of them has a connection; those that had one when the
// broker stopped expire as if it had been lost now.
func (b *Broker) recover() error {
	var found []*session.Recovered
	err := b.store.Recover(func(r *session.Recovered) error {
		found = append(found, r)
		return nil
	})
	if err != nil {
		return err
	}
	now := b.ticker.wall()
	for _, r := range found {
		cl, _ := b.clients.acquire(b, r.Identity, true, maxInt)
		cl.mu.Lock()
		if b.isLast(cl, r) {
			b.restore(cl, r, now)
		}
		cl.mu.Unlock()
		b.clients.release(cl)
	}
	return nil
}

// isLast makes a recovered session the only one of its client, and reports whether it is. A store that was
// damaged may have another, whose end it has lost: that is the one which began earlier. Called with cl.mu held.
func (b *Broker) isLast(cl *client, r *session.Recovered) bool {
	other := session.ID(cl.sessionID.Load())
	if other == 0 {
		return true
	}
	b.log.Warn("the session store has two sessions of one client; the older one is discarded",
		"client", cl.key, "discarded", uint64(min(other, r.ID)), "kept", uint64(max(other, r.ID)))
	if r.ID > other {
		cl.endSession()
		return true
	}
	if err := b.store.Record([]session.Change{{Kind: session.Closed, Session: r.ID}}); err != nil {
		b.storeFailed(err)
	}
	return false
}

// restore gives a client the session that the store has of it. Called with cl.mu held.
func (b *Broker) restore(cl *client, r *session.Recovered, now session.Time) {
	s := session.Restore(b.store, r, b.opts.session(&b.budget))
	cl.session = s
	cl.sessionID.Store(uint64(s.ID()))
	b.stats.sessions.Add(1)
	for _, sub := range r.Subscriptions {
		b.tree.Subscribe(sub.Filter, cl, sub.QoS)
		b.stats.subscriptions.Add(1)
	}
	left := b.opts.SessionExpiry
	switch {
	case !r.Connected && r.Until != 0:
		left = max(1, (r.Until - now).Duration())
	case left > 0:
		s.Disconnect(now + session.Time(left.Milliseconds()))
		cl.flushSession(s)
	case r.Connected: // what comes from now on is not in doubt after another restart
		s.Disconnect(0)
		cl.flushSession(s)
	}
	cl.expireAfter(left)
}

// Serve accepts connections from ln until Shutdown, and closes ln. It always returns an error: ErrClosed
// after Shutdown, otherwise what Accept returned. Several listeners can be served at once.
func (b *Broker) Serve(ln net.Listener) error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		ln.Close()
		return ErrClosed
	}
	b.listeners[ln] = struct{}{}
	b.goroutines.add()
	b.mu.Unlock()
	defer b.goroutines.done()
	defer func() {
		b.mu.Lock()
		delete(b.listeners, ln)
		b.mu.Unlock()
		ln.Close()
	}()
	if tcp := bareTCP(ln); tcp != nil {
		if a, err := b.newAcceptor(tcp, listenerName(ln)); err == nil {
			return a.serve()
		}
	}
	return b.accept(ln)
}

// ServeConn serves one connection and returns at once; the broker owns it from then on. It is for tests,
// in-process clients and transports of one's own.
func (b *Broker) ServeConn(nc net.Conn) error { return b.serveConn(nc, "", false) }

// Dial returns the client's end of a new connection within the process. Bytes written to it reach the
// broker as from a network.
func (b *Broker) Dial() (net.Conn, error) {
	ours, theirs := net.Pipe()
	if err := b.ServeConn(ours); err != nil {
		return nil, err
	}
	return theirs, nil
}

// Shutdown closes the listeners, sends what still waits for clients, closes their connections and then the
// store. It returns when all of that is done and no goroutine of the broker is left, or, with an error, when
// ctx ends: then connections are cut. It may be called again.
func (b *Broker) Shutdown(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	for ln := range b.listeners {
		ln.Close()
	}
	conns := b.conns.all()
	handlers := make([]*Subscription, 0, len(b.handlers))
	for s := range b.handlers {
		handlers = append(handlers, s)
	}
	b.mu.Unlock()
	b.cancel()
	for _, c := range conns {
		c.drain()
	}
	for _, s := range handlers {
		s.Close()
	}
	b.poller.Close()
	var errs []error
	select {
	case <-b.goroutines.zero():
	case <-ctx.Done():
		errs = append(errs, fmt.Errorf("broker: shutdown cut short: %w", ctx.Err()))
		for _, c := range conns {
			c.out.close()
			c.closeSocket()
		}
	}
	b.deadlines.Close()
	b.closeStore.Do(func() {
		go func() { // ends when the store does; it has its own bounds
			b.storeClosed <- b.store.Close()
			close(b.storeClosed)
		}()
	})
	select {
	case err := <-b.storeClosed: // nil for all but the first
		if err != nil && !errors.Is(err, session.ErrStoreClosed) {
			errs = append(errs, err)
		}
	case <-ctx.Done():
		errs = append(errs, fmt.Errorf("broker: closing the store: %w", ctx.Err()))
	}
	return errors.Join(errs...)
}

// storeMayWait reports whether noting something in the store may take its time.
func (b *Broker) storeMayWait() bool { return b.prompt == nil || !b.prompt.Prompt() }

// storeFailed reports that the store has failed, once: it stays failed, and nothing that depends on it is
// acknowledged any more.
func (b *Broker) storeFailed(err error) {
	if errors.Is(err, session.ErrStoreClosed) {
		return // Shutdown
	}
	b.storeError.Do(func() {
		b.log.Error("the session store has failed; QoS 1 messages for persistent sessions are no longer acknowledged",
			"error", err)
	})
}

// syncStore waits until everything noted so far holds, or the connection is gone.
func (c *conn) syncStore() error {
	held := make(chan error, 1)
	c.broker.store.Sync(func(err error) { held <- err })
	select {
	case err := <-held:
		return err
	case <-c.gone.closed():
		return c.end.Load()
	}
}

func (b *Broker) limitsFor(level byte) *packet.Limits { return &b.limits[level] }

func (b *Broker) debug() bool { return b.log.Enabled(context.Background(), slog.LevelDebug) }

// uniqueKey names a client that has not named itself. Nobody else can guess the name and take over.
func (b *Broker) uniqueKey() string {
	var random [12]byte
	rand.Read(random[:]) // never fails
	return "auto-" + hex.EncodeToString(random[:])
}
