// Command record makes docs/benchmarks.md: it builds Sampan, the other brokers and the ceiling programs,
// measures all of them under the same loads, in turn and several times, and writes what came of it.
//
//	go run ./bench/record                               everything, in about an hour
//	go run ./bench/record --quick                       everything, in about 12 minutes
//	go run ./bench/record --cells everyday,fanout-10    some loads; the others stay as they are in the page
//	go run ./bench/record --render                      the page anew, from the figures that are there
//
// It runs in the repository, and needs nothing but Go; Debian's mosquitto is measured if it is installed, and
// FlashMQ if --flashmq (or the variable FLASHMQ) says where its binary is. The figures go to
// docs/benchmarks.json after every load, the page is made of them at the end, also when the command is
// interrupted. A broker that does something wrong in a load is left out of the rest of that load, and the page
// says what it did.
//
// # How it is measured
//
// On one core the broker has a processor of its own and the generator has another one (or the others). On two
// cores the broker has two processors; where the machine has no more, the generator has to share them, so that
// rates say less than deliveries for each second of the broker's processor time.
//
// Other work on the machine shows in the tail of latencies. With real-time priority, which brokers inherit, it
// does not; where a broker may use a processor to the full, though, the system stops such work for 50 ms in every
// second, so only loads at a rate, on one core, are for it:
//
//	go build -o /tmp/record ./bench/record
//	chrt -r 1 /tmp/record --cores 1 --cells everyday,fanout-100-200
package main
