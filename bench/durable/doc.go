// Command durable measures what durability costs end to end: publishers over TCP that each send one QoS 1
// message of 256 bytes after the other, while one persistent session receives all of them. It reports the
// time from PUBLISH to PUBACK, and how many there are in a second.
//
//	cd bench/durable && go run . -sampan ../../bin/sampan
//
// Then it stores a million messages, kills sampan, and reports how long that takes to be back; how quickly their
// clients then get them from the disk; and how long a publisher that is online waits for its PUBACKs meanwhile. All
// of it takes about five minutes.
//
// Brokers take turns, round after round, each time on an empty directory, and the medians of the rounds are
// reported: on a machine that is shared with others only those, and their ratios, mean something. What the
// brokers promise differs, and stands in the table:
//
//	sampan disk       PUBACK after the message is on disk (fdatasync)
//	sampan os         PUBACK after the message survives the process
//	sampan memory     PUBACK when it is routed
//	mosquitto         PUBACK when it is routed; saved every 30 minutes (autosave_interval), or at the end
//	nats              PUBACK when the file store has it; synced to disk every two minutes (sync_interval)
//	nats always       PUBACK after fsync (sync_interval: always)
//
// It is a module of its own, so that nobody who embeds the broker downloads the others.
package main
