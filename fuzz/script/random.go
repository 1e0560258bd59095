package script

import "math/rand/v2"

// From makes a script of so many steps from numbers that a function gives, each below its argument.
func From(steps int, below func(n int) int) *Script { return Decode(randomBytes(steps, below)) }

// Random makes a script of about so many steps. The same seed gives the same script.
func Random(seed uint64, steps int) *Script {
	r := rand.New(rand.NewPCG(seed, 0))
	return From(steps, r.IntN)
}

// randomBytes makes an encoded script from random numbers below n. Operations come as often as they are
// worth: much publishing and acknowledging, now and then a broken packet.
func randomBytes(steps int, below func(n int) int) []byte {
	out := []byte{byte(below(3) | chunkOf(below(8))<<2)}
	for range steps {
		op := weighted[below(len(weighted))]
		out = append(out, op|byte(below(4))<<4|byte(below(5)/4)<<6|byte(below(2))<<7)
		switch op {
		case opPublish, opBroken:
			out = append(out, byte(below(256)), byte(below(256)))
		case opSubscribe, opUnsubscribe:
			for more := true; more; {
				b := byte(below(256))
				out, more = append(out, b), b&0x20 != 0
			}
		case opConnect, opWait:
			out = append(out, byte(below(256)))
		case opAck:
			out = append(out, byte(below(3)))
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
	opAck, opAck, opAck, opAck, opUnsubscribe, opCut, opCut, opDisconnect, opWait, opPing, opRestart, opBroken,
}
