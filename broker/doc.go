// Package broker is an MQTT 3.1 and 3.1.1 broker to embed: connections, keep-alive, takeover, fan-out.
//
//	b, err := broker.New(broker.Options{Profile: broker.Open})
//	go b.Serve(listener)
//	defer b.Shutdown(ctx)
//
// It knows clients, topics and packets. Who a client is and which topics it may use it asks small
// interfaces (Authenticator, Authorizer, Quota); the packages below this one answer them the way the
// Alibaba Cloud IoT Platform does.
//
// # The path of a message
//
// A connection is handled by one goroutine at a time (conn.go), which reads one chunk and cuts packets from
// it; a connection that waits for input holds no buffer. Consecutive PUBLISH packets of one topic form a
// run (run.go, publish.go), which is checked and matched once. For each subscriber the run is queued in one
// piece (fanout.go): at QoS 0 as a view into the chunk, at QoS 1 as a copy with the subscriber's packet
// identifiers. When the whole chunk is routed, or before the goroutine has to wait for something, every outbound
// that was touched is flushed, from the same goroutine (outbound.go); what a socket does not take is left to that
// connection's own writer goroutine. Acknowledgements go out when the store says that what they acknowledge holds
// (answer.go).
//
// # Goroutines
//
// Plain sockets on Linux share a few, as many as there are processors (internal/netx); a connection whose
// handling has to wait keeps the goroutine it is handled on, and another takes that one's place. Every other
// connection has one, which ends with it. One writer per connection, started the first time its socket does
// not take everything, or at once if the connection cannot be written to without waiting. One per
// in-process subscription. One per listener, the caller's. Timers run on the clock's goroutine.
//
// # Locks
//
// From outer to inner: client.takeover (held by a CONNECT), client.mu (session), outbound.mu. The topic
// tree's locks are taken inside client.mu or alone. The directory's shard locks may be held around
// client.mu, never the other way round. No lock is held during a system call that can block, and none while
// an Observer is told something.
package broker
