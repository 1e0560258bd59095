// Package brokertest is for tests of a broker, of what is built on one, and of clients: a broker that ends
// with its test, a clock that is moved by hand, a client that says and expects exactly what a script says,
// and recorders of events, log lines and changes in the store.
//
//	func TestLamp(t *testing.T) {
//		b := brokertest.Start(t, broker.Options{Profile: broker.Open})
//		lamp := b.Connect("lamp")
//		lamp.Subscribe("lamp/on", 1)
//		b.Connect("switch").Publish("lamp/on", "now", 1)
//		lamp.Expect(&packet.Publish{Topic: []byte("lamp/on"), Payload: []byte("now"), QoS: 1, ID: 1})
//	}
//
// Nothing here sleeps. That nothing more comes is shown by a PINGREQ: its answer comes after all that was on
// its way (Client.Sync).
package brokertest
