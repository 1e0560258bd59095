package chip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// Terminator does the handshake of devices with chips. It is what a vendor
// brings.
type Terminator interface {
	// Terminate shakes hands with the device at the other end of conn, and
	// returns a connection that carries what the device sends behind that, and
	// the identity that its chip has proved. It gives up when ctx ends. Nothing
	// but what has been proved may be returned: a server takes it for true.
	// Closing the returned connection closes conn; after an error conn is the
	// caller's to close.
	Terminate(ctx context.Context, conn net.Conn) (plain net.Conn, identity string, err error)
}

// Relay takes devices to a server.
type Relay struct {
	Terminator Terminator
	// Dial opens a connection to the place where the server reads prefaces.
	Dial func(ctx context.Context) (net.Conn, error)
	// HandshakeTimeout bounds the handshake and the way to the server. 0 means
	// DefaultHandshakeTimeout.
	HandshakeTimeout time.Duration
	// MaxConns bounds the connections at one time. 0 means DefaultMaxConns.
	// Beyond it new ones wait to be accepted.
	MaxConns int
	// Report is told why a connection came to nothing, and with the listener's
	// address why none can be accepted for now; nil: nobody is. It is called on
	// many goroutines.
	Report func(remote net.Addr, why error)
}

// Defaults of a Relay.
const (
	DefaultHandshakeTimeout = 10 * time.Second
	DefaultMaxConns         = 10_000
)

// writeStall is how long a device may take nothing of what is sent to it. While
// the relay waits for it, it does not see that the server has given it up.
const writeStall = time.Minute

// Serve relays what l accepts until ctx ends, and returns when every connection
// has ended. It closes l. An error that is about the moment, such as a lack of
// descriptors, is waited out.
func (r *Relay) Serve(ctx context.Context, l net.Listener) error {
	most := r.MaxConns
	if most <= 0 {
		most = DefaultMaxConns
	}
	room := make(chan struct{}, most)
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var all sync.WaitGroup
	defer all.Wait()
	var pause time.Duration // after the last error
	for {
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		conn, err := l.Accept()
		if err != nil && passing(err) && ctx.Err() == nil {
			<-room
			if r.Report != nil {
				r.Report(l.Addr(), err)
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			continue
		}
		if err != nil {
			l.Close()
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		pause = 0
		all.Go(func() {
			defer func() { <-room }()
			if err := r.relay(ctx, conn); err != nil && r.Report != nil {
				r.Report(conn.RemoteAddr(), err)
			}
		})
	}
}

// passing reports whether an error of Accept is about the moment, not about the
// listener.
func passing(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// bounded is a connection whose other side must take what is written.
type bounded struct{ net.Conn }

func (b bounded) Write(p []byte) (int, error) {
	b.SetWriteDeadline(time.Now().Add(writeStall)) // a vendor's may have none
	return b.Conn.Write(p)
}

// relay serves one device until one of the sides ends, or ctx.
func (r *Relay) relay(ctx context.Context, conn net.Conn) error {
	device, server, err := r.join(ctx, conn)
	if err != nil {
		conn.Close()
		return err
	}
	end := func() { device.Close(); server.Close() }
	defer context.AfterFunc(ctx, end)()
	var both sync.WaitGroup
	both.Go(func() { io.Copy(server, device); end() })
	both.Go(func() { io.Copy(bounded{device}, server); end() })
	both.Wait()
	return nil
}

// join shakes hands and introduces the device to the server.
func (r *Relay) join(ctx context.Context, conn net.Conn) (device, server net.Conn, err error) {
	timeout := r.HandshakeTimeout
	if timeout <= 0 {
		timeout = DefaultHandshakeTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	device, identity, err := r.Terminator.Terminate(ctx, conn)
	if err != nil {
		return nil, nil, fmt.Errorf("chip: handshake: %w", err)
	}
	hello, err := Preface{Identity: identity, Remote: remote(conn)}.AppendTo(nil)
	if err == nil {
		if server, err = r.Dial(ctx); err == nil {
			if deadline, ok := ctx.Deadline(); ok {
				server.SetWriteDeadline(deadline)
			}
			_, err = server.Write(hello)
			err = errors.Join(err, server.SetWriteDeadline(time.Time{}))
		}
	}
	if err != nil {
		device.Close()
		if server != nil {
			server.Close()
		}
		return nil, nil, fmt.Errorf("chip: %s: %w", identity, err)
	}
	return device, server, nil
}

// remote is the address of a device, if it has one that can be written down.
func remote(conn net.Conn) string {
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.String()
	}
	return ""
}
