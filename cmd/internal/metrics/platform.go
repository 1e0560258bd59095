package metrics

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"sampan/broker/device"
	"sampan/broker/rrpc"
	"sampan/tlsconf"
)

// collect makes a collector of a function that sends metrics.
type collect func(m sender)

// Describe sends nothing, which makes the collector unchecked.
func (collect) Describe(chan<- *prometheus.Desc) {}

// Collect sends the metrics.
func (c collect) Collect(out chan<- prometheus.Metric) { c(out) }

// Calls returns the collector of the calls from server to device.
func Calls(stats func() rrpc.Stats) prometheus.Collector {
	return collect(func(m sender) {
		s := stats()
		m.gauge("rrpc_pending", "Calls that wait for an answer.", s.Pending)
		m.gauge("rrpc_pending_max", "The limit on calls that wait for an answer.", s.MaxPending)
		codes := map[string]uint64{}
		for code, n := range s.Calls {
			codes[string(code)] = n
		}
		m.counters("rrpc_calls_total", "Calls, by result code.", "code", codes)
		m.counter("rrpc_unexpected_total", "Answers that nobody waited for.", s.Unexpected)
	})
}

// Registry returns the collector of the registry.
func Registry(stats func() device.Stats) prometheus.Collector {
	return collect(func(m sender) {
		s := stats()
		m.gauge("registry_products", "Products.", int64(s.Products))
		m.gauge("registry_devices", "Devices.", int64(s.Devices))
		m.gauge("registry_access_keys", "Access keys of the server-side API.", int64(s.AccessKeys))
		m.gauge("registry_memory_bytes", "Memory of the devices.", int64(s.Bytes))
		m.gauge("registry_log_entries", "Entries in the registry's log, superseded ones included.", int64(s.LogEntries))
		failed := int64(0)
		if s.Failure != nil {
			failed = 1
		}
		m.gauge("registry_checkpoint_failed", "1 if the registry's log could not be rewritten the last time.", failed)
	})
}

// TLS returns the collector of the certificates in use. The labels are the names of the configured files.
func TLS(server *tlsconf.Server) prometheus.Collector {
	return collect(func(m sender) {
		snapshot, status := server.Snapshot(), server.Status()
		expiry := map[string]float64{}
		for _, c := range slices.Concat(snapshot.Certificates, snapshot.ClientCAs) {
			at := float64(c.NotAfter.Unix())
			if before, known := expiry[c.File]; !known || at < before {
				expiry[c.File] = at
			}
		}
		for _, file := range slices.Sorted(maps.Keys(expiry)) {
			m.labelled("tls_certificate_expiry_timestamp_seconds", "When the first certificate of a file expires.", prometheus.GaugeValue, expiry[file], "file", file)
		}
		m.counter("tls_reloads_total", "Times that certificates were replaced.", status.Reloads)
		m.counter("tls_reload_failures_total", "Times that they could not be, so that the old ones stayed.", status.Failures)
	})
}
