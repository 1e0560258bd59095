package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"sampan/broker/alink"
	"sampan/broker/ledger"
	"sampan/broker/quota"
)

// Quotas returns the collector of the platform's quantities and of what they have refused. The labels are the
// names of the settings, without limit- and rate-.
func Quotas(limits *quota.Limits, refused func() map[string]uint64) prometheus.Collector {
	return collect(func(m sender) {
		counts := refused()
		for _, q := range quota.Quantities() {
			m.labelled("quota_limit", "The platform's quantities in force: numbers, bytes or nanoseconds; 0 is no limit.", prometheus.GaugeValue, float64(q.Value(limits)), "quota", q.Name)
			counts[q.Name] += 0
		}
		for _, item := range quota.Items() {
			rate := limits.Rate(item)
			perSecond := 0.0
			if rate.Limited() {
				perSecond = float64(rate.Limit) / rate.Per.Seconds()
			}
			m.labelled("quota_rate", "The platform's rates in force, per second; 0 is no limit.", prometheus.GaugeValue, perSecond, "quota", item.String())
			counts[item.String()] += 0
		}
		m.counters("quota_refused_total", "What was refused by a quantity or a rate, or by another limit with a name.", "quota", counts)
	})
}

// Ledger returns the collector of what is kept of devices beside the registry.
func Ledger(stats func() ledger.Stats) prometheus.Collector {
	return collect(func(m sender) {
		s := stats()
		for kind, n := range s.Records {
			m.labelled("ledger_records", "Records of what is known of devices, by kind.", prometheus.GaugeValue, float64(n), "kind", kind.String())
		}
		m.gauge("ledger_records_max", "The limit on the records of all kinds.", int64(s.MaxRecords))
		m.gauge("ledger_bytes", "Size of the records.", s.Bytes)
		m.gauge("ledger_bytes_max", "The limit on it.", s.MaxBytes)
		m.gauge("ledger_log_bytes", "Size of the log in which they are, superseded ones included.", s.LogBytes)
		failed := int64(0)
		if s.Failure != nil {
			failed = 1
		}
		m.gauge("ledger_compaction_failed", "1 if the log could not be compacted the last time.", failed)
	})
}

// Services returns the collector of the devices' requests for services.
func Services(s *alink.Stats) prometheus.Collector {
	return collect(func(m sender) {
		m.counter("alink_requests_total", "Requests of devices for services.", s.Requests.Load())
		m.counter("alink_refused_total", "Those that were answered with another code than 200.", s.Refused.Load())
		m.counter("alink_events_total", "Posts of devices that were told to watchers.", s.Events.Load())
		m.counter("alink_failures_total", "Times that something could not be kept of a device.", s.Failures.Load())
	})
}
