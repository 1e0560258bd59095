package server

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	"sampan/broker/brokertest"
	"sampan/cmd/internal/logging"
	"sampan/packet"
	"sampan/session/wal/vfs/simdisk"
)

// log collects what a server logs.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestFsyncFails: after a failed fsync nothing is acknowledged any more, also when the disk is well again; client
// and operator are told; and what was acknowledged before is there after the next start.
func TestFsyncFails(t *testing.T) {
	disk, said := simdisk.New(), new(log)
	start := func() (srv *Server, dial func() *brokertest.Client) {
		s := parse(t, "--profile=open", "--api=off", "--listen=mqtt://127.0.0.1:0", "--metrics=127.0.0.1:0", "--health=127.0.0.1:0", "--data="+t.TempDir())
		s.disk = disk.FS()
		srv, err := Start(s, logging.New(said, s.Logging))
		if err != nil {
			t.Fatal(err)
		}
		u := srv.Listeners()[0]
		return srv, func() *brokertest.Client {
			nc, err := net.Dial("tcp", strings.TrimPrefix(u.String(), "mqtt://"))
			if err != nil {
				t.Fatal(err)
			}
			return brokertest.NewClient(t, nc)
		}
	}
	srv, dial := start()
	if err := Healthy(t.Context(), srv.healthy.url(healthPath)); err != nil {
		t.Error(err)
	}
	away := dial()
	away.Connect("away", brokertest.Persistent)
	away.Subscribe("a/#", 1)
	away.Disconnect()
	pub := dial()
	pub.Connect("pub")
	pub.Publish("a/x", "acknowledged", 1)

	disk.Fault(func(op simdisk.Op, _ string) error {
		if op == simdisk.Sync {
			return syscall.EIO
		}
		return nil
	})
	pub.Send(brokertest.Publish("a/x", "not acknowledged", 1, 1000))
	pub.ExpectClosed()
	disk.Fault(nil) // well again: too late
	again := dial()
	again.Send(brokertest.ConnectPacket("away", brokertest.Persistent))
	again.Expect(&packet.Connack{Code: packet.RefusedUnavailable})
	again.ExpectClosed()
	pub = dial()
	pub.Connect("pub")
	pub.Send(brokertest.Publish("a/x", "not acknowledged either", 1, 1001))
	pub.ExpectClosed()

	response, err := http.Get(srv.metrics.url("/metrics"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || !bytes.Contains(page, []byte("sampan_store_failed 1\n")) {
		t.Errorf("the metrics do not say that the store has failed: %v\n%s", err, page)
	}
	if err := Healthy(t.Context(), srv.healthy.url(healthPath)); err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "the session store has failed") {
		t.Errorf("the broker says of its health: %v", err)
	}
	if err := srv.Shutdown(context.Background()); err == nil {
		t.Error("the broker ended as if nothing had happened")
	}
	if n := strings.Count(said.String(), "the session store has failed"); n != 1 {
		t.Errorf("%d lines about it in\n%s", n, said)
	}

	srv, dial = start()
	away = dial()
	if !away.Connect("away", brokertest.Persistent) {
		t.Fatal("the session is gone")
	}
	got := away.Drain()
	if len(got) == 0 || string(got[0].Payload) != "acknowledged" || len(got) > 2 || len(got) == 2 && string(got[1].Payload) != "not acknowledged" {
		t.Errorf("got %d messages: %v", len(got), got)
	}
	if err := srv.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}
