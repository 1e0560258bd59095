// Package load makes MQTT load and proves what came of it.
//
// A [Plan] says which clients there are, what they subscribe to and what they
// publish; an [Engine] carries it out against one broker:
//
//	e, err := load.New(plan, load.Options{...})
//	defer e.Close()
//	err = e.Connect(ctx, 0, len(plan.Clients), load.Ramp{})
//	e.Publish(load.Pace{Rate: 10_000})
//	...
//	e.Halt()
//	e.Settle(ctx)
//	sample := e.Sample(nil)
//
// Every message belongs to a stream: one publisher's numbered messages on one
// topic. Each receiver follows each stream that it gets with a
// [proof.Tracker], so that after Settle every message of every stream at every
// receiver is accounted for.
//
// # How the load is timed
//
// An open load ([Pace].Rate) has a schedule that does not wait for the broker:
// the latency of a message counts from the moment the schedule meant it to be
// sent, whatever held it up, so that a broker which stops for a second shows a
// second, not one slow message. A closed load ([Pace].Window) keeps a number
// of messages under way and sends more when they have arrived everywhere.
//
// # Who does what
//
// Clients are spread over lanes (see [wire.Lane]), and everything of a client
// is guarded by its lane's lock: connections, trackers, streams that it
// publishes, counters. The one thing that lanes share is how many deliveries
// of a stream are outstanding, an atomic counter.
//
// What a broker does wrong goes into the engine's [fault.List]. Unless the
// options say otherwise the first fault also ends what is under way.
package load
