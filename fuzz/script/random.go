package script

import (
	"math/rand/v2"

	"sampan/fuzz/model"
)

// From makes a script of so many steps from numbers that a function gives, each below its argument.
func From(steps int, below func(n int) int) *Script { return Decode(Bytes(steps, below)) }

// Random makes a script of about so many steps. The same seed gives the same script.
func Random(seed uint64, steps int) *Script {
	r := rand.New(rand.NewPCG(seed, 0))
	return From(steps, r.IntN)
}

// Bytes makes an encoded script of so many steps from numbers that a function gives, each below its
// argument. Operations come as often as they are worth: much publishing and acknowledging, now and then a
// broken packet. Most of it is about few topics, filters and clients, at QoS 1, so that things happen.
func Bytes(steps int, below func(n int) int) []byte {
	profile := below(len(profiles))
	out := []byte{byte(profile | chunkOf(below(8))<<2 | below(32)/31<<4 | below(4)/3<<5 | below(8)/7<<6 | below(6)/5<<7)}
	add := func(b int) { out = append(out, byte(b)) }
	// usually is one of the first few, and now and then any.
	usually := func(few, all int) int {
		if below(4) > 0 {
			return below(few)
		}
		return below(all)
	}
	for range steps {
		op := weighted[below(len(weighted))]
		if profiles[profile] == "tight" && (op == opPing || op == opRaw || op == opBroken || op == opRestart) {
			op = opManner // it is there for clients that do not read
		}
		joined, clean := below(5)/4, below(3)/2
		if op == opRestart {
			joined = 0
		}
		conn := usually(2, 4)
		if op == opRestart && below(2) == 0 {
			joined = 1
		} else if op == opRestart { // a plain one, most of the time: those with a disk cost ten times as much
			conn = max(0, below(64)-60)
		}
		add(int(op) | conn<<4 | joined<<6 | clean<<7)
		switch op {
		case opPublish:
			topic := usually(3, 16)
			if below(12) == 0 {
				topic = below(len(topics))
			}
			add(topic)
			qos := 1 - below(4)/3 + below(30)/29
			if below(16) == 0 && profiles[profile] != "tight" {
				qos = 3 // an unusual size
			}
			add(qos | below(6)/5<<2 | below(6)/5<<3 | below(16)<<4)
		case opSubscribe, opUnsubscribe:
			for more := 1; more == 1; {
				more = below(4) / 3
				qos := 1 - below(4)/3 + below(8)/7
				filter := usually(8, len(filters))
				if below(12) == 0 {
					qos, filter = 3, below(len(rareFilters))
				}
				add(filter | more<<5 | qos<<6)
			}
		case opConnect:
			add(usually(2, 4) | below(3)/2<<2 | below(6)/5<<3 | usually(1, 4)<<4 | below(8)/7<<6 | below(16)/15<<7)
		case opHost:
			verb := model.Verb(usually(3, int(model.Verbs)))
			add(int(verb))
			switch verb {
			case model.HostPublish, model.HostDeliver, model.HostOffer:
				add(usually(3, 16))
				add(1 - below(4)/3 + below(30)/29)
			case model.HostSubscribe, model.HostUnsubscribe:
				add(usually(8, len(filters)) | below(2)<<6)
			}
		case opBroken:
			add(below(256))
			add(below(256))
		case opWait:
			add(below(len(waits)))
		case opAck:
			add(usually(1, 3) | below(8)/7<<3)
		case opManner:
			add(below(4))
		case opRaw: // a packet that stops in the middle: CONNECT or PUBLISH
			out = append(out, 3, []byte{0x10, 0x30}[below(2)], 0x20, 0)
		}
	}
	return out
}

// chunkOf makes whole packets the usual case.
func chunkOf(n int) int {
	if n >= len(chunks) {
		return 0
	}
	return n
}

var weighted = []byte{
	opPublish, opPublish, opPublish, opPublish, opPublish, opPublish, opPublish, opPublish,
	opSubscribe, opSubscribe, opSubscribe, opSubscribe, opConnect, opConnect, opConnect,
	opAck, opAck, opAck, opAck, opUnsubscribe, opCut, opCut, opDisconnect, opWait, opPing, opRestart, opBroken, opRaw,
	opManner, opManner, opHost,
}
