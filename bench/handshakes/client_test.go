package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// serveTLS is a server in this process with the site's certificates.
func serveTLS(t *testing.T, s *site, key string) (addr string, resumed func() int) {
	t.Helper()
	certificate, err := tls.LoadX509KeyPair(s.path(key+".pem"), s.path(key+".key"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
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

func TestProcessorTimeOfAProcess(t *testing.T) {
	p := &process{command: &exec.Cmd{Process: &os.Process{Pid: os.Getpid()}}}
	before, err := p.cpu()
	if err != nil {
		t.Fatal(err)
	}
	for after := before; after == before; { // until the kernel counts a tick of this loop
		if after, err = p.cpu(); err != nil || after < before {
			t.Fatal(after, err)
		}
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
