package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"sampan/tlsconf/psk"
)

// kind is a kind of handshake.
type kind struct {
	name    string
	policy  string // of the listener
	key     string // of the server's certificate: rsa or ecdsa; empty: pre-shared keys
	version uint16
	suite   uint16 // 0: the server chooses
	resume  bool   // a session that the client had
	hybrid  bool   // the key exchange is X25519 with ML-KEM-768; otherwise the client offers X25519 and P-256
}

var kinds = []kind{
	{"TLS 1.3, ECDSA P-256", "modern", "ecdsa", tls.VersionTLS13, 0, false, false},
	{"TLS 1.3, ECDSA P-256, X25519MLKEM768", "modern", "ecdsa", tls.VersionTLS13, 0, false, true},
	{"TLS 1.3, RSA 2048", "modern", "rsa", tls.VersionTLS13, 0, false, false},
	{"TLS 1.3, resumed", "modern", "rsa", tls.VersionTLS13, 0, true, false},
	{"TLS 1.2, ECDHE and ECDSA P-256", "modern", "ecdsa", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, false, false},
	{"TLS 1.2, ECDHE and RSA 2048", "modern", "rsa", tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, false, false},
	{"TLS 1.2, resumed", "modern", "rsa", tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, true, false},
	{"TLS 1.2, static RSA 2048, CBC (the C SDK)", "platform", "rsa", tls.VersionTLS12, tls.TLS_RSA_WITH_AES_128_CBC_SHA, false, false},
	{"TLS 1.0, static RSA 2048, CBC", "platform", "rsa", tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA, false, false},
	{"TLS 1.2, static RSA 2048, Triple DES", "legacy", "rsa", tls.VersionTLS12, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, false, false},
	{"pre-shared key, CBC (the C SDK)", "psk", "", tls.VersionTLS12, psk.TLS_PSK_WITH_AES_128_CBC_SHA, false, false},
	{"pre-shared key, GCM", "psk", "", tls.VersionTLS12, psk.TLS_PSK_WITH_AES_128_GCM_SHA256, false, false},
	{"pre-shared key, ECDHE, CBC", "psk", "", tls.VersionTLS12, psk.TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256, false, false},
	{"pre-shared key, ECDHE, GCM", "psk", "", tls.VersionTLS12, psk.TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256, false, false},
}

// shake does one handshake on a connection of its own, which it closes.
type shake func(ctx context.Context) error

// errNotResumed says that a server did a whole handshake instead.
var errNotResumed = errors.New("the server did not resume the session")

// client makes the client's side of a kind.
func (s *site) client(k kind, addr string) shake {
	var before atomic.Bool // there was a handshake, whose session those after it resume
	secure := func(ctx context.Context, conn net.Conn) (net.Conn, error) {
		c := psk.Client(conn, &psk.Config{Identity: []byte(identity), PSK: []byte(s.psk), CipherSuites: []uint16{k.suite}})
		return c, c.HandshakeContext(ctx)
	}
	if k.key != "" {
		config := &tls.Config{RootCAs: s.roots, ServerName: "localhost", MinVersion: k.version, MaxVersion: k.version}
		config.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256}
		if k.hybrid {
			config.CurvePreferences = []tls.CurveID{tls.X25519MLKEM768}
		}
		if k.suite != 0 {
			config.CipherSuites = []uint16{k.suite}
		}
		if k.resume {
			config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		}
		secure = func(ctx context.Context, conn net.Conn) (net.Conn, error) {
			c, resumes := tls.Client(conn, config), k.resume && before.Load()
			err := c.HandshakeContext(ctx)
			if err == nil && resumes && !c.ConnectionState().DidResume {
				err = errNotResumed
			}
			return c, err
		}
	}
	return func(ctx context.Context) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		secured, err := secure(ctx, conn)
		if err != nil {
			return err
		}
		// The server has done its part when it closes, too: a client of TLS 1.3 is ready before it.
		if err := secured.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			return err
		}
		conn.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, secured); errors.Is(err, os.ErrDeadlineExceeded) {
			return err // how it closes is its own affair, but not that it does not
		}
		before.Store(true)
		return ctx.Err()
	}
}

var errTooLong = fmt.Errorf("it took longer than %v", patience)

// drive does handshakes with so many clients for a while, and counts them.
func drive(ctx context.Context, one shake, each time.Duration, clients int) (int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var done atomic.Int64
	var all sync.WaitGroup
	end := time.Now().Add(each)
	for range clients {
		all.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil {
				limited, over := context.WithTimeoutCause(ctx, patience, errTooLong)
				err := one(limited)
				if limited.Err() != nil {
					err = context.Cause(limited)
				}
				over()
				if err != nil {
					cancel(fmt.Errorf("a handshake failed: %w", err))
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	return done.Load(), context.Cause(ctx)
}
