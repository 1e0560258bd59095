package psk

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"sampan/tlsconf/psk/internal/seal"
)

// Conn is one end of a channel, a net.Conn over another one. As with
// crypto/tls, one goroutine may read while another writes and a third closes,
// and the handshake runs by itself at the first Read or Write if nobody asked
// for it before.
type Conn struct {
	conn     net.Conn
	config   *Config
	isClient bool

	// handshakeMu is held during the handshake. It is the outermost of the
	// three locks; inMu and out.mu follow. It guards handshakeErr, and until
	// done also state and in.
	handshakeMu  sync.Mutex
	handshakeErr error
	state        ConnectionState
	done         atomic.Bool // handshake complete; state and maxPlain are final

	// inMu guards in, plain and readErr once the handshake is complete.
	inMu    sync.Mutex
	in      recordIn
	plain   []byte // received and not yet read; aliases in's buffer
	readErr error

	out    recordOut
	closed atomic.Bool
}

// Server is the server's end over conn. The configuration needs Key.
func Server(conn net.Conn, config *Config) *Conn { return newConn(conn, config, false) }

// Client is the client's end over conn. The configuration needs Identity and
// PSK.
func Client(conn net.Conn, config *Config) *Conn { return newConn(conn, config, true) }

func newConn(conn net.Conn, config *Config, isClient bool) *Conn {
	c := &Conn{conn: conn, config: config, isClient: isClient}
	c.in.maxPlain = seal.MaxPlaintext
	c.in.budget = config.maxHandshakeBytes()
	c.out.maxPlain = seal.MaxPlaintext
	c.out.version = recordVersion
	return c
}

// ConnectionState is what the handshake agreed on.
type ConnectionState struct {
	// HandshakeComplete: the peer has proven that it has the key. The other
	// fields are zero before.
	HandshakeComplete bool
	// Identity is the one the key belongs to: proven, on a server.
	Identity string
	// IdentityHint is what the server sent, on a client.
	IdentityHint         string
	CipherSuite          uint16
	Group                uint16 // of the one-time keys; 0 for a suite without
	EncryptThenMAC       bool
	ExtendedMasterSecret bool
	// MaxFragment is the longest plaintext of a record in bytes.
	MaxFragment int
}

// ConnectionState returns the state; before the handshake is complete, the
// zero one.
func (c *Conn) ConnectionState() ConnectionState {
	if !c.done.Load() {
		return ConnectionState{}
	}
	return c.state
}

// Handshake runs the handshake if that has not happened yet. Bound it by
// SetDeadline or use HandshakeContext.
func (c *Conn) Handshake() error { return c.HandshakeContext(context.Background()) }

// HandshakeContext runs the handshake if that has not happened yet. When the
// context ends first, the underlying connection is closed and the context's
// error returned. An error is final: later calls return the same one.
func (c *Conn) HandshakeContext(ctx context.Context) error {
	if c.done.Load() {
		return nil
	}
	c.handshakeMu.Lock()
	defer c.handshakeMu.Unlock()
	if c.done.Load() || c.handshakeErr != nil {
		return c.handshakeErr
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { c.conn.Close() })
	state, err := c.handshake(ctx)
	if err != nil {
		c.tell(err)
	}
	if !stop() { // the context ended and closed the connection
		err = context.Cause(ctx)
	}
	if err != nil {
		c.handshakeErr = err
		return err
	}
	state.HandshakeComplete = true
	c.state = state
	c.in.budget = -1
	c.done.Store(true)
	return nil
}

func (c *Conn) handshake(ctx context.Context) (ConnectionState, error) {
	if err := c.config.init(); err != nil {
		return ConnectionState{}, err
	}
	h := handshake{c: c, config: c.config}
	h.transcript = newTranscript()
	if c.isClient {
		return h.client()
	}
	return h.server(ctx)
}

// tell sends the alert that belongs to an error of this side, and makes sure
// that nothing else is sent. Whether it arrives is of no interest. The deadline
// also frees the lock from a write that is stuck, so that a peer that does not
// read cannot hold whoever found the error.
func (c *Conn) tell(err error) {
	var e *Error
	if !errors.As(err, &e) {
		return
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(alertTimeout))
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if !e.Remote {
		_ = c.out.alert(c.conn, e.Alert)
	}
	if c.out.err == nil {
		c.out.err = e
	}
}

// Read reads decrypted bytes. io.EOF means that the peer said it was done;
// a connection cut without that gives io.ErrUnexpectedEOF. After a timeout
// reading may go on; every other error is final.
func (c *Conn) Read(b []byte) (int, error) {
	if err := c.Handshake(); err != nil {
		return 0, err
	}
	if len(b) == 0 {
		return 0, nil
	}
	c.inMu.Lock()
	defer c.inMu.Unlock()
	for len(c.plain) == 0 {
		if c.readErr != nil {
			return 0, c.readErr
		}
		if err := c.receive(); err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				return 0, err
			}
			c.readErr = err
			c.tell(err)
			return 0, err
		}
	}
	n := copy(b, c.plain)
	if c.plain = c.plain[n:]; len(c.plain) == 0 {
		c.plain = nil
		c.in.release()
	}
	return n, nil
}

// receive takes one record after the handshake; it sets plain if the record
// carried data.
func (c *Conn) receive() error {
	typ, plain, err := c.in.next(c.conn)
	if err == io.EOF {
		return io.ErrUnexpectedEOF // no close_notify: it may be cut
	}
	if err != nil {
		return err
	}
	switch typ {
	case recordApplicationData:
		if len(plain) > 0 {
			c.in.idle = 0
			c.plain = plain
			return nil
		}
	case recordAlert:
		if err := readAlert(plain); err != nil {
			return err
		}
	case recordHandshake:
		return fail(AlertNoRenegotiation, "the peer wants to renegotiate")
	default:
		return fail(AlertUnexpectedMessage, "change_cipher_spec after the handshake")
	}
	return c.in.countIdle()
}

// countIdle counts a record that carried nothing.
func (in *recordIn) countIdle() error {
	if in.idle++; in.idle > maxIdleRecords {
		return fail(AlertUnexpectedMessage, "too many records without data")
	}
	return nil
}

// readAlert turns a received alert into an error: io.EOF for close_notify, nil
// for a warning that changes nothing.
func readAlert(b []byte) error {
	if len(b) != 2 {
		return fail(AlertDecodeError, "alert of a wrong length")
	}
	a := Alert(b[1])
	switch {
	case a == AlertCloseNotify:
		return io.EOF
	case b[0] == levelWarning && a != AlertNoRenegotiation:
		return nil
	case b[0] == levelWarning || b[0] == levelFatal:
		return &Error{Alert: a, Remote: true}
	}
	return fail(AlertIllegalParameter, "alert of an unknown level")
}

// Write encrypts and sends b. It does not keep b. Every error is final: the
// stream may end inside a record.
func (c *Conn) Write(b []byte) (int, error) {
	if err := c.Handshake(); err != nil {
		return 0, err
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.write(c.conn, recordApplicationData, b)
}

// CloseWrite tells the peer that nothing follows; reading goes on.
func (c *Conn) CloseWrite() error {
	if !c.done.Load() {
		return errors.New("psk: CloseWrite before the handshake is complete")
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.closeNotify(c.conn)
}

// Close tells the peer, for at most one second, and closes the connection.
// Reads, writes and a handshake under way end with an error. A write that is
// stuck is cut short, and the peer then not told.
func (c *Conn) Close() error {
	if !c.closed.CompareAndSwap(false, true) {
		return net.ErrClosed
	}
	if c.done.Load() && c.out.mu.TryLock() {
		_ = c.out.closeNotify(c.conn)
		c.out.mu.Unlock()
	}
	return c.conn.Close()
}

// NetConn is the connection underneath. Reading or writing it breaks the
// channel.
func (c *Conn) NetConn() net.Conn { return c.conn }

// LocalAddr is that of the connection underneath.
func (c *Conn) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// RemoteAddr is that of the connection underneath.
func (c *Conn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error { return c.conn.SetDeadline(t) }

// SetReadDeadline bounds reads; a read that timed out may be tried again,
// unless it was part of the handshake.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.conn.SetReadDeadline(t) }

// SetWriteDeadline bounds writes; after one has timed out nothing more can be
// written.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.conn.SetWriteDeadline(t) }
