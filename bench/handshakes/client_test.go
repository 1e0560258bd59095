package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// serveTLS is a server in this process with the site's certificates.
func serveTLS(t *testing.T, s *site, key string, changes ...func(*tls.Config)) (addr string, resumed func() int) {
	t.Helper()
	certificate, err := tls.LoadX509KeyPair(s.path(key+".pem"), s.path(key+".key"))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}}
	for _, change := range changes {
		change(config)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			io.Copy(io.Discard, conn)
			if conn.(*tls.Conn).ConnectionState().DidResume {
				n++
			}
			conn.Close()
		}
	}()
	return l.Addr().String(), func() int { l.Close(); <-done; return n }
}

// newTestSite has certificates and nothing else.
func newTestSite(t *testing.T) *site {
	t.Helper()
	s := &site{dir: t.TempDir(), roots: x509.NewCertPool()}
	if err := s.makeCertificates(); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestKindsOfHandshakes(t *testing.T) {
	s := newTestSite(t)
	for _, k := range kinds {
		if k.key == "" || k.policy != "modern" {
			continue
		}
		t.Run(strings.ReplaceAll(k.name, "/", " "), func(t *testing.T) {
			addr, resumed := serveTLS(t, s, k.key)
			one := s.client(k, addr)
			const handshakes = 3
			for range handshakes {
				if err := one(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			want := 0
			if k.resume {
				want = handshakes - 1
			}
			if n := resumed(); n != want {
				t.Errorf("%d of %d handshakes were resumed, want %d", n, handshakes, want)
			}
		})
	}
}

func TestDriveCountsAndReportsFailures(t *testing.T) {
	s := newTestSite(t)
	addr, stop := serveTLS(t, s, "ecdsa")
	n, err := drive(t.Context(), s.client(kinds[0], addr), 100*time.Millisecond, 2)
	if n == 0 || err != nil {
		t.Errorf("%d handshakes, %v", n, err)
	}
	stop()
	if _, err := drive(t.Context(), s.client(kinds[0], addr), time.Minute, 2); err == nil {
		t.Error("handshakes with nobody")
	}
}

// A row is of resumed handshakes only if they were.
func TestAServerThatDoesNotResume(t *testing.T) {
	s := newTestSite(t)
	k := kinds[slices.IndexFunc(kinds, func(k kind) bool { return k.resume })]
	addr, stop := serveTLS(t, s, k.key, func(c *tls.Config) { c.SessionTicketsDisabled = true })
	defer stop()
	one := s.client(k, addr)
	if err := one(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := one(t.Context()); !errors.Is(err, errNotResumed) {
		t.Errorf("got %v", err)
	}
}

// A server that says nothing any more does not hold those who measure it.
func TestDriveDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := drive(t.Context(), func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, time.Second, 2)
		if !errors.Is(err, errTooLong) {
			t.Errorf("got %v", err)
		}
	})
}

// What a server has said stands beside what became of it, and nobody waits for one that has ended.
func TestAServerThatEnds(t *testing.T) {
	p, err := launch("127.0.0.1:1", "sh", "-c", "echo my configuration is wrong")
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	err = p.ready(t.Context(), func(context.Context) error { return errors.New("nobody is there") })
	if err == nil || !strings.Contains(err.Error(), "my configuration is wrong") {
		t.Errorf("got %v", err)
	}
}

func TestServersThatAreNotThere(t *testing.T) {
	t.Setenv("PATH", filepath.Join(t.TempDir(), "empty"))
	s := &site{dir: t.TempDir()}
	for _, server := range []server{s.stunnelServer(), s.nginxServer()} {
		if _, err := server.start(t.Context(), kinds[0]); !errors.Is(err, errCannot) {
			t.Errorf("%s: %v", server.name, err)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		figures []float64
		want    string
	}{
		{nil, "–"},
		{[]float64{7}, "7"},
		{[]float64{9, 1}, "5"},
		{[]float64{3, 900, 4}, "4"},
		{[]float64{8, 1, 6, 2}, "4"},
	} {
		if got := cell(c.figures); got != c.want {
			t.Errorf("%v: %s, want %s", c.figures, got, c.want)
		}
	}
}
