// Package bench measures MQTT brokers: any that speak 3.1.1 or 3.1 at an
// address, under the loads of [sampan/bench/scenario].
//
// A scenario is a value and so is a result:
//
//	s := scenario.Of(scenario.Fanout)
//	s.Subscribers = 1000
//	result, err := bench.Run(ctx, bench.Config{
//		Scenario: s,
//		Target:   bench.Target{Addr: "127.0.0.1:1883", PIDs: []int{pid}},
//	})
//
// [Compare] measures several brokers in turn, round after round, and gives
// ratios with an interval; [Search] finds the highest rate at which a bound on
// latency holds. Package report writes results as a table, JSON, CSV, .hgrm
// and a page with plots.
//
// # What is measured
//
// Given the broker's processes (or its command, to start it), the first figure
// is deliveries for each second of processor time that all of the broker's
// threads used, user and system: it holds on a machine that is shared with
// others, where a rate does not. With it come the rate itself, latencies from
// the moment at which the schedule meant a message to be sent, resident
// memory, and memory for each connection.
//
// Every message is followed at every subscriber. What a broker loses, doubles,
// reorders, changes or refuses is a [fault.Fault] of the measurement, and
// makes the error of Run; see [Config].LossAllowed for QoS 0.
//
// What an open load has due when it ends, and could not send because the broker
// took no more, is given up: it is in no latency, and in the notes of the round.
//
// The generator watches itself. If it was busier than the broker, or late
// itself, the measurement has a Bottleneck, and rate and latencies, which would
// be the generator's, are left out of Metrics.
package bench
