// Package model is what an MQTT broker does, written to be read: the specification against which the
// broker, and any other broker, is checked. It follows MQTT 3.1.1 statement by statement and adds the
// rules of the IoT platform, which Rules switches on and off.
//
// The model is pure: no goroutine, no clock, no network. It is told what clients do (Send, Cut, Stall,
// Wait, Restart) and what the broker under test does (Observe, Closed), and says which statement that breaks. A
// broker may choose some things freely, such as packet identifiers and the order of an acknowledgement and
// a delivery; the model takes them from what it observes. Used the other way round (Play) it says what a
// broker would do.
//
//	m := model.New(model.Open())
//	m.Send(0, connect)
//	for each packet that arrives on connection 0: m.Observe(0, packet)
//	m.Missing(0) // when nothing more comes
//
// Where to find what:
//
//	rules.go        what may differ from broker to broker
//	client.go       what clients and time do: bytes, broken connections, waiting
//	connect.go      CONNECT, takeover, sessions
//	subscribe.go    SUBSCRIBE, UNSUBSCRIBE
//	publish.go      PUBLISH, delivery, the queue of a session, acknowledgements
//	exactlyonce.go  QoS 2, where it is supported
//	will.go         Will and retained messages, where they are supported
//	slow.go         clients that do not read
//	power.go        restarts and power cuts
//	match.go        which topics a filter matches
//	expect.go       what the broker now owes a client
//	observe.go      comparing that with what the broker does
//	statements.go   ids of rules that are not the standard's own
package model
