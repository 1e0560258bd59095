package server

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/broker/device"
	"sampan/broker/ledger"
	"sampan/broker/platform"
	"sampan/session/wal/vfs/simdisk"
)

// A broker that cannot keep what devices post is not well, though its sessions are.
func TestHealthLooksAtTheLedger(t *testing.T) {
	disk := simdisk.New()
	kept, err := ledger.Open("", ledger.Options{FS: disk.FS()})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	registry := device.New(device.Options{})
	srv := &Server{Broker: brokertest.Start(t, broker.Options{Profile: broker.Open}).Broker, Registry: registry,
		Platform: platform.New(platform.Options{Registry: registry, Ledger: kept})}
	defer srv.Platform.Close()
	check := func(status int, says string) {
		t.Helper()
		w := httptest.NewRecorder()
		srv.health().ServeHTTP(w, httptest.NewRequest(http.MethodGet, healthPath, nil))
		if w.Code != status || !strings.Contains(w.Body.String(), says) {
			t.Errorf("status %d, %s", w.Code, w.Body)
		}
	}
	check(http.StatusOK, "ok")
	broken := errors.New("a bad disk")
	disk.Fault(func(simdisk.Op, string) error { return broken })
	if err := kept.Put(ledger.Shadow, ledger.Record{Key: "k", Value: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	if err := kept.Wait(); !errors.Is(err, broken) {
		t.Fatalf("the disk has not failed: %v", err)
	}
	check(http.StatusServiceUnavailable, "the ledger of what devices have posted has failed")
}
