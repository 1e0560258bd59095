// Package crash proves what a durability level promises: it puts a broker under QoS 1 load, ends it without
// warning again and again, and audits every message that was acknowledged.
//
// # What is checked
//
// Publishers send each message once and never repeat it, so every second copy is the broker's doing.
// Subscribers have persistent sessions, subscribe once, and come and go: by DISCONNECT or by cutting the
// connection, with messages received and not acknowledged. Of another set of topics they subscribe and
// unsubscribe all the time. The ledger notes in one order what was sent, answered and received. From that
// follows, whatever the broker says about itself:
//
//   - lost: a message was acknowledged while a subscription had been acknowledged, and never came;
//   - reordered: of one publisher and topic, a message came for the first time after a later one;
//   - doubled: a message came again without DUP, or on a connection on which it had come already;
//   - damaged: a message is not what was sent under its number;
//   - unsubscribed: a message came that was sent after UNSUBACK;
//   - session: a CONNACK said that there is no session, although there must be one;
//   - identifier: a packet identifier was given to a second message while the first was in flight, or a
//     redelivery by the same broker process had another identifier than the delivery;
//   - broker: it ended by itself, did not start, or refused what it must not refuse.
//
// A last message, published when the broker is not ended any more, goes to every subscriber. Queues are in
// order, so what has not come when it comes is lost, and nothing needs to be waited for.
//
// # Two ways to end a broker
//
// As a child process by SIGKILL; and within this process, on a simulated disk that forgets what was not
// synced and tears the last writes, as a disk does when its power is cut.
package crash
