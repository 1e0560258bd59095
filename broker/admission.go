package broker

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"sampan/broker/internal/admission"
	"sampan/broker/internal/netx"
)

// gate is what connections pass on their way in: limits for each address, a pace for all, and a bounded
// number of places for those that have not sent CONNECT. Who finds no place is not refused: the listener
// takes no more from the kernel's queue until one is free, so that after a restart many thousand clients come
// in one after the other, as fast as the machine can, instead of all at once and too late.
type gate struct {
	exempt     []netip.Prefix
	sources    *admission.Sources
	pace       *admission.Pace
	pending    *admission.Room
	handshakes *admission.Room
	delayed    *admission.Sparse // lines about connections that wait
}

// arrival is what a connection has of the gate until its CONNECT is accepted.
type arrival struct {
	pending, handshake admission.Guest
	of                 admittee // the connection, if it wants to know; or nil
}

// admittee is a net.Conn that is told when its client's CONNECT was accepted.
type admittee interface{ Admitted() }

// burst is how many times the number of connections in a second may come at once, of one address and of all.
const burst = 5

// graces is the part of the time for CONNECT after which a client that keeps the broker waiting can lose its
// place to another.
const graces = 4

func newGate(o *Options, t *ticker) gate {
	bound := func(n int) int {
		if n == maxInt {
			return 0
		}
		return n
	}
	rate := func(n int) int { return min(bound(n), int(time.Second)) }
	grace := o.ConnectTimeout / graces
	return gate{
		exempt: o.Exempt,
		sources: admission.NewSources(admission.Limits{
			Open: bound(o.MaxConnectionsPerAddress), Rate: rate(o.ConnectionRatePerAddress), Burst: burst * rate(o.ConnectionRatePerAddress),
		}, t),
		pace:       admission.NewPace(rate(o.ConnectionRate), rate(o.ConnectionRate), t),
		pending:    admission.NewRoom(bound(o.MaxPending), grace, t),
		handshakes: admission.NewRoom(bound(o.MaxHandshakes), grace, t),
		delayed:    admission.NewSparse(1, 1, t),
	}
}

// source is what a connection from addr is counted by.
func (g *gate) source(addr net.Addr) admission.Source {
	var ip netip.Addr
	switch a := addr.(type) {
	case *net.TCPAddr:
		ip = a.AddrPort().Addr()
	case interface{ AddrPort() netip.AddrPort }:
		ip = a.AddrPort().Addr()
	}
	ip = ip.Unmap().WithZone("")
	for _, network := range g.exempt {
		if network.Contains(ip) {
			return admission.Source{}
		}
	}
	return admission.SourceOf(ip)
}

// admitSource counts the connection for the address it comes from, or says why it cannot come in.
func (c *conn) admitSource() *ending {
	g, o := &c.broker.gate, &c.broker.opts
	source := g.source(c.channel.Remote)
	switch g.sources.Arrive(source) {
	case admission.OpenExceeded:
		return &ending{reason: AddressLimit, rule: "max-connections-per-address", limit: int64(o.MaxConnectionsPerAddress), value: int64(o.MaxConnectionsPerAddress) + 1}
	case admission.RateExceeded:
		return &ending{reason: AddressLimit, rule: "connection-rate-per-address", limit: int64(o.ConnectionRatePerAddress)}
	}
	c.source = source
	return nil
}

// await waits for the connection's turn. It reports false when the broker is shut down.
func (c *conn) await(t *netx.Turn) bool {
	b := c.broker
	if d := b.gate.pace.Next(); d > 0 {
		t.Leave()
		b.delayed(c.channel.Listener, "connection-rate", int64(b.opts.ConnectionRate))
		select {
		case <-b.after(d):
		case <-b.ctx.Done():
			return false
		}
	}
	if b.gate.pending.TryEnter(&c.arrival.pending, (*pending)(c)) {
		return true
	}
	t.Leave()
	b.delayed(c.channel.Listener, "max-pending", int64(b.opts.MaxPending))
	return b.gate.pending.Enter(&c.arrival.pending, b.ctx.Done(), (*pending)(c))
}

// pending and handshaking are a connection as the guest of a room. It ends when others want its place.
type (
	pending     conn
	handshaking conn
)

func (p *pending) Displace() { (*conn)(p).displaced("max-pending", p.broker.opts.MaxPending) }

func (h *handshaking) Displace() { (*conn)(h).displaced("max-handshakes", h.broker.opts.MaxHandshakes) }

func (c *conn) displaced(rule string, limit int) {
	c.stop(&ending{reason: Displaced, rule: rule, limit: int64(limit)})
}

// delayed tells, now and then, that connections wait in the kernel's queue.
func (b *Broker) delayed(listener, rule string, limit int64) {
	b.stats.delayed.Add(1)
	if ok, missed := b.gate.delayed.Tell(); ok {
		b.emit(Event{Kind: ConnectionDelayed, Listener: listener, Rule: rule, Limit: limit, Missed: missed})
	}
}

// served says that CONNECT has come: what takes time now is the broker's own work.
func (a *arrival) served() {
	if a != nil {
		a.pending.Served()
	}
}

// admitted ends the connection's arrival: its CONNECT was accepted.
func (c *conn) admitted() {
	of := c.arrival.of
	c.arrival.leave()
	c.arrival = nil
	if of != nil {
		of.Admitted()
	}
}

func (a *arrival) leave() {
	if a != nil {
		a.handshake.Leave()
		a.pending.Leave()
	}
}

type connKey struct{}

// BeginHandshake is for connections with a HandshakeContext, which call it with the context they were given
// when the client's first bytes show that a handshake with cryptography begins. It waits for one of the places
// of Options.MaxHandshakes and returns what gives it back. When ctx is not a handshake's it does nothing.
//
// The broker does so itself for a *tls.Conn.
func BeginHandshake(ctx context.Context) (end func(), err error) {
	c, ok := ctx.Value(connKey{}).(*conn)
	if !ok || c.arrival == nil {
		return func() {}, nil
	}
	a := c.arrival
	a.pending.Served() // who waits for a place here does so for the broker
	defer a.pending.Awaited()
	if !c.broker.gate.handshakes.Enter(&a.handshake, ctx.Done(), (*handshaking)(c)) {
		return nil, context.Cause(ctx)
	}
	return a.handshake.Leave, nil
}

// SetRemote is for connections with a HandshakeContext, which call it with the context they were given when
// they have learned from a proxy where the client really is. From then on the connection counts and is logged
// as from there. An error says that it cannot come in; the handshake is to return it.
func SetRemote(ctx context.Context, remote net.Addr) error {
	c, ok := ctx.Value(connKey{}).(*conn)
	if !ok {
		return nil
	}
	c.broker.gate.sources.Leave(c.source)
	c.source = admission.Source{}
	c.channel.Remote = remote
	if e := c.admitSource(); e != nil {
		return e
	}
	return nil
}

// handshakeEnding is why a connection ends whose handshake has failed.
func handshakeEnding(err error) *ending {
	var e *ending
	if errors.As(err, &e) {
		return e
	}
	detail := err.Error()
	if len(detail) > longestDetail {
		detail = detail[:longestDetail] + "..."
	}
	return &ending{reason: HandshakeFailed, detail: detail}
}

// longestDetail bounds what is told of a handshake that has failed, in bytes: it can quote a stranger, who may have sent
// as much as a certificate or a request holds.
const longestDetail = 400
