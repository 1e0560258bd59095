// Package metrics shows a broker's statistics to Prometheus. Every label has a small fixed set of values:
// a reason, a limit, a QoS. Nothing that a client can choose becomes a label.
package metrics

import (
	"maps"
	"math"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"sampan/broker"
)

// Broker returns the collector of a broker's metrics. It takes one snapshot for each scrape.
func Broker(stats func() broker.Stats) prometheus.Collector { return collector{stats} }

type collector struct{ stats func() broker.Stats }

// Describe sends nothing, which makes the collector unchecked: its metrics follow from the snapshot.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the metrics of one snapshot.
func (c collector) Collect(out chan<- prometheus.Metric) {
	s := c.stats()
	m := sender(out)

	m.gauge("connections", "Open connections, those included that have not sent CONNECT.", s.Connections)
	m.gauge("connected_clients", "Connections that have a session.", s.Connected)
	m.counter("connections_accepted_total", "Connections accepted by the listeners.", s.Accepted)
	m.gauge("pending_connections", "Connections whose CONNECT was not accepted yet.", s.Pending)
	m.counter("connections_delayed_total", "Connections that had to wait to be accepted.", s.Delayed)
	m.gauge("handshakes", "TLS handshakes in progress.", s.Handshakes)
	m.gauge("handshakes_waiting", "Connections that wait for their handshake.", s.HandshakesQueued)
	m.counter("handshakes_delayed_total", "TLS handshakes that had to wait.", s.HandshakeDelays)
	m.gauge("counted_addresses", "Addresses and networks whose connections are counted.", s.Addresses)
	m.counters("connections_ended_total", "Connections that ended, by reason.", "reason", s.Ended)
	m.gauge("clients", "Sessions and in-process subscribers.", s.Clients)
	m.gauge("sessions", "Sessions, connected or not.", s.Sessions)
	m.gauge("subscriptions", "Subscriptions of all sessions.", s.Subscriptions)

	m.counter("packets_received_total", "Control packets received.", s.PacketsReceived)
	m.counter("bytes_received_total", "Bytes received from clients.", s.BytesReceived)
	m.counter("bytes_sent_total", "Bytes sent to clients.", s.BytesSent)
	m.counters("publish_received_total", "PUBLISH packets received, by QoS.", "qos", byQoS(s.Received))
	m.counters("publish_sent_total", "PUBLISH packets sent, by QoS.", "qos", byQoS(s.Sent))
	m.counter("publish_intercepted_total", "PUBLISH packets that were answers or requests to the broker itself.", s.Intercepted)
	m.counter("publish_redelivered_total", "PUBLISH packets sent again with DUP.", s.Redelivered)
	m.counter("publish_acknowledged_total", "PUBACK packets received.", s.Acknowledged)
	m.counters("messages_dropped_total", "Messages dropped, by reason.", "reason", s.Dropped)
	m.counter("fields_ignored_total", "Will, RETAIN and QoS 2 that the configuration ignores.", s.IgnoredFields)
	m.counter("subscribe_refused_total", "Topic filters refused in SUBSCRIBE.", s.SubscribeRefused)

	m.gauge("queued_messages", "QoS 1 messages that wait in sessions, once for each session.", s.QueuedMessages)
	m.gauge("queued_bytes", "Bytes of the QoS 1 messages that wait in sessions, once for each session.", s.QueuedBytes)
	m.gauge("outbound_bytes", "Bytes that wait for sockets which do not take them.", s.OutboundBytes)
	m.gauge("deadlines", "Timers that are running.", int64(s.Deadlines))

	m.info("store_info", "The durability level of the store.", "level", s.Store.Level)
	m.gauge("store_sessions", "Sessions in the store.", int64(s.Store.Sessions))
	m.gauge("store_subscriptions", "Subscriptions in the store.", int64(s.Store.Subscriptions))
	m.gauge("store_messages", "Messages in the store, each counted once.", int64(s.Store.Messages))
	m.gauge("store_queued", "Places in the queues of the store's sessions.", int64(s.Store.Queued))
	m.gauge("store_bytes", "Bytes of the messages in the store, each counted once.", s.Store.Bytes)
	m.gauge("store_memory_bytes", "Memory that the store holds, estimated.", s.Store.MemoryBytes)
	m.gauge("store_disk_bytes", "Size of the store's files, recycled ones included.", s.Store.DiskBytes)
	m.counter("store_syncs_total", "Times that the store has made its contents durable.", s.Store.Syncs)
	m.counter("store_sync_failures_total", "Times that the store could not. It acknowledges nothing after the first.", s.Store.SyncFailures)
	m.flag("store_failed", "1: the store has failed, and acknowledges nothing until a restart.", s.Store.Failure != nil)
	m.flag("store_troubled", "1: the store fails at its upkeep. Nothing is lost, but its files grow, and it may fail.", s.Store.Trouble != nil)

	for _, bound := range []struct {
		limit string
		value int64
	}{
		{"connections", s.Bounds.Connections},
		{"address_connections", s.Bounds.AddressConnections},
		{"address_connections_per_second", s.Bounds.AddressRate},
		{"connections_per_second", s.Bounds.ConnectionRate},
		{"pending_connections", s.Bounds.Pending},
		{"handshakes", s.Bounds.Handshakes},
		{"connect_bytes", s.Bounds.ConnectBytes},
		{"sessions", s.Bounds.Sessions},
		{"client_subscriptions", s.Bounds.Subscriptions},
		{"client_outbound_bytes", s.Bounds.OutboundBytes},
		{"outbound_bytes", s.Bounds.OutboundTotalBytes},
		{"session_queued_messages", s.Bounds.QueueMessages},
		{"session_queued_bytes", s.Bounds.QueueBytes},
		{"queued_messages", s.Bounds.QueueTotalMessages},
		{"queued_bytes", s.Bounds.QueueTotalBytes},
		{"client_unacknowledged_messages", s.Bounds.Window},
	} {
		m.limit(bound.limit, float64(bound.value))
	}
	m.limit("connect_seconds", s.Bounds.ConnectTimeout.Seconds())
	m.limit("write_stall_seconds", s.Bounds.WriteStall.Seconds())
	m.limit("session_expiry_seconds", s.Bounds.SessionExpiry.Seconds())
}

func byQoS(counts [2]uint64) map[string]uint64 {
	return map[string]uint64{"0": counts[0], "1": counts[1]}
}

// Unauthenticated returns the collector of the bound on what a client may send before its CONNECT was accepted, which
// the listeners keep; 0: there is none.
func Unauthenticated(limit int) prometheus.Collector {
	return collect(func(m sender) {
		if limit == 0 {
			limit = math.MaxInt / 2 // as the broker's bounds are shown
		}
		m.limit("unauthenticated_bytes", float64(limit))
	})
}

// sender sends metrics of the broker.
type sender chan<- prometheus.Metric

func (m sender) gauge(name, help string, value int64) {
	m <- prometheus.MustNewConstMetric(prometheus.NewDesc("sampan_"+name, help, nil, nil), prometheus.GaugeValue, float64(value))
}

func (m sender) limit(name string, value float64) {
	m.labelled("limit", "The limits in force, by what they bound.", prometheus.GaugeValue, value, "limit", name)
}

func (m sender) flag(name, help string, up bool) {
	value := int64(0)
	if up {
		value = 1
	}
	m.gauge(name, help, value)
}

func (m sender) counter(name, help string, value uint64) {
	m <- prometheus.MustNewConstMetric(prometheus.NewDesc("sampan_"+name, help, nil, nil), prometheus.CounterValue, float64(value))
}

func (m sender) counters(name, help, label string, values map[string]uint64) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		m.labelled(name, help, prometheus.CounterValue, float64(values[key]), label, key)
	}
}

func (m sender) info(name, help, label, value string) {
	m.labelled(name, help, prometheus.GaugeValue, 1, label, value)
}

func (m sender) labelled(name, help string, kind prometheus.ValueType, value float64, label, labelValue string) {
	desc := prometheus.NewDesc("sampan_"+name, help, []string{label}, nil)
	m <- prometheus.MustNewConstMetric(desc, kind, value, labelValue)
}
