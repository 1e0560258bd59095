package network

import (
	"math/rand/v2"
	"time"

	"sampan/fuzz/model"
	"sampan/fuzz/script"
	"sampan/packet"
)

// maker makes scripts: new ones, and others by changing those that had a new effect.
type maker struct {
	rnd      *rand.Rand
	rules    *model.Rules
	slow     bool            // scripts may wait
	restarts bool            // scripts may restart the broker
	corpus   [][]byte        // encoded scripts
	effects  map[string]bool // that have been seen
	avoid    map[string]bool // rules whose violation the broker is known to tolerate: finding that again takes time
}

// steps bounds a new script. Long ones find no more and cost more.
const steps = 16

// next makes a script, and its bytes.
func (k *maker) next() (*script.Script, []byte) {
	var code []byte
	if len(k.corpus) == 0 || k.rnd.IntN(2) == 0 {
		code = script.Bytes(1+k.rnd.IntN(steps), k.rnd.IntN)
	} else {
		code = k.change(k.corpus[k.rnd.IntN(len(k.corpus))])
	}
	return k.fit(script.Decode(code)), code
}

// change returns bytes with a few of them replaced, left out, put in, or followed by those of another
// script.
func (k *maker) change(code []byte) []byte {
	out := append([]byte(nil), code...)
	for range 1 + k.rnd.IntN(4) {
		at := k.rnd.IntN(len(out) + 1)
		switch k.rnd.IntN(4) {
		case 0:
			out = append(out[:at], append([]byte{byte(k.rnd.IntN(256))}, out[at:]...)...)
		case 1:
			if at < len(out) && len(out) > 1 {
				out = append(out[:at], out[at+1:]...)
			}
		case 2:
			other := k.corpus[k.rnd.IntN(len(k.corpus))]
			out = append(out[:at], other[k.rnd.IntN(len(other)):]...)
		default:
			if at < len(out) {
				out[at] ^= 1 << k.rnd.IntN(8)
			}
		}
	}
	if len(out) == 0 {
		return []byte{0}
	}
	return out[:min(len(out), 400)]
}

// learn keeps a script whose effect was not seen before.
func (k *maker) learn(code []byte, effect string) {
	if !k.effects[effect] {
		k.effects[effect] = true
		k.corpus = append(k.corpus, code)
	}
}

// Waits are few and short: each is real. The longer one is more than the shortest keep-alive allows.
const (
	waits     = 2
	shortWait = time.Second
	longWait  = 2 * time.Second
)

// fit leaves out what cannot be done over a network, or is not defined for every broker: MQTT 3.1 leaves open
// what a client without a name is told.
func (k *maker) fit(s *script.Script) *script.Script {
	out := &script.Script{Profile: k.rules.Name}
	waited, restarted := 0, false
	for _, st := range s.Steps {
		if len(out.Steps) >= 3*steps {
			break
		}
		st.Join = false
		switch st.Kind {
		case script.Wait:
			if waited++; !k.slow || waited > waits {
				continue
			}
			if st.For = shortWait; waited == 1 {
				st.For = longWait
			}
		case script.Restart, script.PowerCut:
			if !k.restarts || restarted {
				continue
			}
			restarted = true
			st = script.Step{Kind: script.Restart}
		case script.Late, script.Host:
			continue
		case script.Stall, script.Read, script.Hold:
			if !k.rules.QoS2 {
				continue
			}
			st.Kind = script.Hold
		case script.Send:
			rule := model.Violates(st.Raw)
			if k.avoid[rule] || k.rules.Name == "standard" && old(st.Raw) || rule == string(packet.RuleClientID31) || !whole(st.Raw) {
				continue
			}
			if k.slow && k.rules.KeepAliveMin == 0 {
				st.Raw = shortKeepAlive(st.Raw)
			}
			if k.rules.Password == "" { // the target puts in what the broker asks for
				st.Raw = anonymous(st.Raw)
			}
		}
		out.Steps = append(out.Steps, st)
	}
	if k.rules.QoS2 {
		halves(out)
	}
	return out
}

// shortKeepAlive makes the keep-alive of a CONNECT that has one the shortest that there is.
func shortKeepAlive(raw []byte) []byte {
	if p, ok := connectOf(raw); !ok || p.KeepAlive == 0 || p.KeepAlive > 30 {
		return raw
	}
	return rewrite(raw, func(p *packet.Connect) { p.KeepAlive = 1 })
}

// old reports a CONNECT of MQTT 3.1, which a broker for 3.1.1 need not know: the protocol name is another
// one [MQTT-3.1.2-1].
func old(raw []byte) bool { return len(raw) > 8 && raw[0] == 0x10 && string(raw[4:8]) == "MQIs" }

// whole reports whether bytes end where a packet ends, as the lengths in it say: a broker may wait for the
// rest of one, whatever its first byte is.
func whole(raw []byte) bool {
	for len(raw) > 0 {
		rem, head := 0, 1
		for ; head < len(raw) && head <= 4; head++ {
			rem |= int(raw[head]&0x7f) << (7 * (head - 1))
			if raw[head] < 0x80 {
				break
			}
		}
		if head == 5 {
			return true // no length: nothing can follow
		}
		if head++; head+rem > len(raw) {
			return false
		}
		raw = raw[head+rem:]
	}
	return true
}

// connectOf decodes the CONNECT that bytes begin with.
func connectOf(raw []byte) (p packet.Connect, ok bool) {
	f, n, _, err := packet.Next(raw, nil)
	ok = err == nil && n > 0 && f.Type() == packet.TypeConnect && p.Decode(f, nil) == nil
	return p, ok
}
