package listen

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"sync"

	"sampan/broker"
)

// Certified are the open connections of clients that have shown a certificate, so that they can be looked at
// once more when revocation lists have changed.
type Certified struct {
	Check func(tls.ConnectionState) error // refuses a client whose certificate is good no more

	mu    sync.Mutex
	conns map[*certified]struct{}
}

// certified is a TLS connection with a client certificate.
type certified struct {
	*tls.Conn
	below net.Conn
	state *tls.ConnectionState
	among *Certified

	remote net.Addr // where the client is
}

// Close closes the connection, which is then nothing to look at any more.
func (c *certified) Close() error {
	c.among.mu.Lock()
	delete(c.among.conns, c)
	c.among.mu.Unlock()
	return c.Conn.Close()
}

func (s *Certified) add(c *certified) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		s.conns = map[*certified]struct{}{}
	}
	s.conns[c] = struct{}{}
}

// Len is the number of connections.
func (s *Certified) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Recheck cuts the connections that Check refuses now, and reports each to cut.
func (s *Certified) Recheck(cut func(remote net.Addr, why error)) {
	s.mu.Lock()
	all := make([]*certified, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		if err := s.Check(*c.state); err != nil {
			c.below.Close() // whoever reads from it finds out, and closes the rest
			cut(c.remote, err)
		}
	}
}

// good are the chains that hold by themselves, at least one, or the error is why none does. Where authorities have
// signed each other there may be several, of which one is enough; what one that does not hold leads over must not
// speak for the client.
func (s *Certified) good(chains [][]*x509.Certificate) (good [][]*x509.Certificate, why error) {
	for _, chain := range chains {
		err := s.Check(tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{chain}})
		if err == nil {
			good = append(good, chain)
		} else if why == nil {
			why = err
		}
	}
	if len(good) > 0 {
		why = nil
	}
	return good, why
}

// secure is the layer of TLS, which keeps count of those who have certificates if there may be any.
func (o *Options) secure() layer {
	secure, among := toTLS(o.TLS), o.Certified
	if among == nil {
		return secure
	}
	return func(ctx context.Context, below net.Conn, channel *broker.Channel) (net.Conn, error) {
		conn, err := secure(ctx, below, channel)
		if err != nil || len(channel.TLS.VerifiedChains) == 0 {
			return conn, err
		}
		if channel.TLS.VerifiedChains, err = among.good(channel.TLS.VerifiedChains); err != nil {
			conn.Close()
			return nil, err
		}
		c := &certified{Conn: conn.(*tls.Conn), below: below, state: channel.TLS, among: among, remote: channel.Remote}
		among.add(c)
		// What the handshake went by may have been replaced since; from here on Recheck sees the connection.
		if err := among.Check(*c.state); err != nil {
			c.Close()
			return nil, err
		}
		return c, nil
	}
}
