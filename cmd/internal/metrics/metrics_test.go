package metrics

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"sampan/broker"
	"sampan/broker/device"
	"sampan/broker/rrpc"
	"sampan/cmd/internal/testtls"
	"sampan/tlsconf"
)

// distinct fills every number in a struct with a value of its own, and returns where each went.
func distinct(v reflect.Value, path string, next *uint64, where map[uint64]string) {
	if v.Type() == reflect.TypeFor[time.Duration]() { // shown in seconds
		*next++
		v.SetInt(int64(*next) * int64(time.Second))
		where[*next] = path
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			distinct(v.Field(i), path+"."+v.Type().Field(i).Name, next, where)
		}
	case reflect.Array:
		for i := range v.Len() {
			distinct(v.Index(i), path, next, where)
		}
	case reflect.Map:
		*next++
		v.Set(reflect.ValueOf(map[string]uint64{"some-reason": *next}))
		where[*next] = path
	case reflect.Int, reflect.Int64:
		*next++
		v.SetInt(int64(*next))
		where[*next] = path
	case reflect.Uint64:
		*next++
		v.SetUint(*next)
		where[*next] = path
	case reflect.String:
		v.SetString("disk")
	}
}

func TestEveryNumberOfTheSnapshotIsAMetric(t *testing.T) {
	var stats broker.Stats
	next, where := uint64(1000), map[uint64]string{}
	distinct(reflect.ValueOf(&stats).Elem(), "Stats", &next, where)
	if len(where) < 30 {
		t.Fatalf("the snapshot has only %d numbers", len(where))
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(Broker(func() broker.Stats { return stats }))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			value, counted := uint64(metric.GetGauge().GetValue()), false
			if family.GetType() == dto.MetricType_COUNTER {
				value, counted = uint64(metric.GetCounter().GetValue()), true
			}
			if counted != strings.HasSuffix(family.GetName(), "_total") {
				t.Errorf("%s is a counter: %v", family.GetName(), counted)
			}
			delete(where, value)
		}
	}
	for _, path := range where {
		t.Errorf("%s is not among the metrics", path)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

func TestStoreThatFails(t *testing.T) {
	var stats broker.Stats
	for _, state := range []struct{ failure, trouble error }{{}, {trouble: io.ErrShortWrite}, {io.ErrShortWrite, io.ErrShortWrite}} {
		stats.Store.Failure, stats.Store.Trouble = state.failure, state.trouble
		got := gather(t, Broker(func() broker.Stats { return stats }))
		if (got["sampan_store_failed"] == 1) != (state.failure != nil) || (got["sampan_store_troubled"] == 1) != (state.trouble != nil) {
			t.Errorf("%+v: failed %v, troubled %v", state, got["sampan_store_failed"], got["sampan_store_troubled"])
		}
	}
}

func TestHandlerServesMetrics(t *testing.T) {
	stats := broker.Stats{Connected: 3, Dropped: map[string]uint64{"queue-full": 5}}
	server := httptest.NewServer(Handler(slog.New(slog.DiscardHandler), Broker(func() broker.Stats { return stats })))
	defer server.Close()
	response, err := http.Get(server.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"sampan_connected_clients 3\n", `sampan_messages_dropped_total{reason="queue-full"} 5` + "\n", "go_goroutines ", "process_open_fds "} {
		if !strings.Contains(string(body), line) {
			t.Errorf("%q is not among the metrics:\n%s", line, body)
		}
	}
	if elsewhere, err := http.Get(server.URL + "/"); err != nil || elsewhere.StatusCode != http.StatusNotFound {
		t.Errorf("GET /: %v, %v", elsewhere.StatusCode, err)
	}
}

// gather returns the values of a collector by name and label values.
func gather(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			name := family.GetName()
			for _, label := range metric.GetLabel() {
				name += "," + label.GetName() + "=" + label.GetValue()
			}
			values[name] = metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
		}
	}
	return values
}

func TestCallsAndRegistry(t *testing.T) {
	calls := gather(t, Calls(func() rrpc.Stats {
		return rrpc.Stats{Pending: 1, MaxPending: 2, Calls: map[rrpc.Code]uint64{rrpc.Success: 3, rrpc.Offline: 4}, Unexpected: 5}
	}))
	want := map[string]float64{
		"sampan_rrpc_pending": 1, "sampan_rrpc_pending_max": 2,
		"sampan_rrpc_calls_total,code=SUCCESS": 3, "sampan_rrpc_calls_total,code=OFFLINE": 4, "sampan_rrpc_unexpected_total": 5,
	}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Errorf("calls: (-want +got)\n%s", diff)
	}
	registry := gather(t, Registry(func() device.Stats {
		return device.Stats{Products: 1, Devices: 2, AccessKeys: 3, Bytes: 4, LogEntries: 5, Failure: errors.New("disk full")}
	}))
	want = map[string]float64{
		"sampan_registry_products": 1, "sampan_registry_devices": 2, "sampan_registry_access_keys": 3,
		"sampan_registry_memory_bytes": 4, "sampan_registry_log_entries": 5, "sampan_registry_checkpoint_failed": 1,
	}
	if diff := cmp.Diff(want, registry); diff != "" {
		t.Errorf("registry: (-want +got)\n%s", diff)
	}
}

func TestCertificatesShowWhenTheyExpire(t *testing.T) {
	files := testtls.NewServer(t)
	server, err := tlsconf.New(tlsconf.Options{Certificates: []tlsconf.Certificate{{CertFile: files.CertFile, KeyFile: files.KeyFile}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Reload(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files.CertFile, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if server.Reload() == nil {
		t.Fatal("nonsense was taken for a certificate")
	}
	want := map[string]float64{
		"sampan_tls_certificate_expiry_timestamp_seconds,file=" + files.CertFile: float64(files.Certificate.Leaf.NotAfter.Unix()),
		"sampan_tls_reloads_total": 1, "sampan_tls_reload_failures_total": 1,
	}
	if diff := cmp.Diff(want, gather(t, TLS(server))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
