package metrics

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"sampan/broker"
)

// distinct fills every number in a struct with a value of its own, and returns where each went.
func distinct(v reflect.Value, path string, next *uint64, where map[uint64]string) {
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
