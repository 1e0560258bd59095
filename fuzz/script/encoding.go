package script

import (
	"bytes"
	"fmt"
	"slices"

	"sampan/packet"
)

// A script as bytes: one for the profile (bits 0-1), the chunks (2-3), the disk (4), the other options (5),
// a subscriber in the broker's process (6) and a program that says something of clients (7), then for each step an
// operation with its arguments. Any bytes are a script; arguments that are missing are 0.
//
//	operation  bits 0-3 what, bits 4-5 which connection, bit 6 joined, bit 7 CleanSession of a CONNECT that
//	           the decoder puts before the first packet of a connection
const (
	opConnect     = 0  // client and flags
	opPublish     = 1  // topic, and QoS, flags and identifier; 2 too
	opManner      = 3  // bits 0-1: stall, read, hold, stall
	opSubscribe   = 4  // one byte for each filter; 5 too
	opUnsubscribe = 6  // one byte for each filter
	opAck         = 7  // which one, or with bit 3 the last one again
	opHost        = 8  // bits 0-2: what is done, with a client whose number stands for that of a connection; then topic or filter
	opPing        = 9  //
	opDisconnect  = 10 //
	opCut         = 11 //
	opWait        = 12 // how long
	opRestart     = 13 // joined: the store is late, or no more; otherwise instead of a connection: 0 restart, 1 power cut, 2 and 3 power cut during the next packet
	opBroken      = 14 // what is wrong with the packet, and a number
	opRaw         = 15 // length and bytes
)

// MaxSteps bounds a script that is decoded.
const MaxSteps = 64

// decoder goes through the bytes.
type decoder struct {
	s         *Script
	data      []byte
	connected [4]bool // as far as the decoder can tell
	failing   bool    // the power fails during the next packet
}

// Decode makes a script of any bytes.
func Decode(data []byte) *Script {
	d := &decoder{s: new(Script), data: data}
	head := int(d.next())
	d.s.Profile = profiles[head&3%len(profiles)]
	d.s.Chunk = chunks[head>>2&3]
	d.s.Disk, d.s.Other, d.s.Watched = head&0x10 != 0, head&0x20 != 0, head&0x40 != 0
	d.s.Told = head&0x80 != 0
	for len(d.data) > 0 && len(d.s.Steps) < MaxSteps {
		d.step()
	}
	return d.s
}

// follows reports whether a packet can be joined to the step before: it is behind one that ends the connection.
func (d *decoder) follows(conn int) bool {
	n := len(d.s.Steps)
	return n > 0 && d.s.Steps[n-1].Kind == Send && d.s.Steps[n-1].Conn == conn
}

func (d *decoder) next() byte {
	if len(d.data) == 0 {
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return b
}

func (d *decoder) step() {
	op := d.next()
	conn := int(op >> 4 & 3)
	st := Step{Conn: conn, Join: op&0x40 != 0}
	what := op & 15
	switch what {
	case opCut:
		st = Step{Kind: Cut, Conn: conn}
		d.connected[conn] = false
	case opWait:
		st = Step{Kind: Wait, For: waits[int(d.next())%len(waits)]}
	case opRestart:
		if st.Join {
			st = Step{Kind: Late}
			break
		}
		st = Step{Kind: Restart}
		switch {
		case conn == 1:
			st.Kind = PowerCut
		case conn > 1:
			d.failing = true
			return
		}
		d.connected = [4]bool{}
	case opManner:
		st = Step{Kind: [...]Kind{Stall, Read, Hold, Stall}[d.next()&3], Conn: conn}
	case opHost:
		st = Step{Kind: Host, Call: d.host(conn)}
	case opAck:
		if b := d.next(); b&8 != 0 {
			st = Step{Kind: Again, Conn: conn}
		} else {
			st = Step{Kind: Ack, Conn: conn, N: int(b & 7)}
		}
	case opConnect:
		b := d.next()
		st.Raw = d.connect(b)
		d.connected[conn] = b&0x80 == 0
	case opRaw:
		n := min(int(d.next()), len(d.data))
		st.Raw, d.data = d.data[:n:n], d.data[n:]
	default:
		if !d.connected[conn] && !(st.Join && d.follows(conn)) {
			hello := byte(conn)
			if op&0x80 != 0 {
				hello |= 4
			}
			d.s.Steps = append(d.s.Steps, Step{Conn: conn, Raw: d.connect(hello)})
			d.connected[conn] = true
			st.Join = false
		}
		st.Raw = d.packet(what)
		if what == opDisconnect || what == opBroken {
			d.connected[conn] = false
		}
	}
	if st.Kind == Send && len(st.Raw) == 0 {
		return
	}
	if d.failing && st.Kind == Send {
		d.failing, d.connected = false, [4]bool{}
		st.Kind, st.Join = PowerCut, false
	}
	d.s.Disk = d.s.Disk || st.Kind == PowerCut
	if n := len(d.s.Steps); st.Join && (n == 0 || d.s.Steps[n-1].Kind != Send || d.s.Steps[n-1].Conn != conn) {
		st.Join = false
	}
	d.s.Steps = append(d.s.Steps, st)
}

// connect makes a CONNECT: bits 0-1 the client, 2 CleanSession, 3 level 3, 4-5 keep-alive, 6 a Will, 7 the
// wrong password, or, where none is asked for, one that is broken, or not the first packet.
func (d *decoder) connect(b byte) []byte {
	p := packet.Connect{Level: packet.Level311, ClientID: []byte(clients[b&3]), CleanSession: b&4 != 0,
		KeepAlive: keepAlives[b>>4&3]}
	if b&8 != 0 {
		p.Level = packet.Level31
	}
	if b&0x40 != 0 {
		p.Will, p.WillTopic, p.WillMessage, p.WillQoS = true, []byte("a/b"), []byte("gone"), 1
	}
	if d.s.Profile == "platform" {
		p.HasUsername, p.HasPassword, p.Username, p.Password = true, true, []byte("u"), []byte(password)
		if b&0x80 != 0 {
			p.Password = []byte("wrong")
		}
	}
	if d.s.Profile != "platform" && b&0x80 != 0 {
		return brokenConnect(p, b&0x7f)
	}
	return p.AppendTo(nil)
}

// packet makes the packets that follow CONNECT. Their payloads and identifiers come from the number of the
// step, so that no two are the same.
func (d *decoder) packet(what byte) []byte {
	number := len(d.s.Steps) + 1
	switch what {
	case opSubscribe, opSubscribe + 1: // bits 0-4 the filter, 5 another follows, 6-7 QoS; 3 is a rare filter at QoS 1
		p := packet.Subscribe{ID: uint16(number)}
		for more := true; more && p.Len() < 12; {
			b := d.next()
			filter, qos := filterOf(b), b>>6
			if qos == 3 {
				qos = 1
			}
			p.Add([]byte(filter), qos)
			more = b&0x20 != 0
		}
		return p.AppendTo(nil)
	case opUnsubscribe:
		p := packet.Unsubscribe{ID: uint16(number)}
		for more := true; more && p.Len() < 12; {
			b := d.next()
			p.Add([]byte(filterOf(b)))
			more = b&0x20 != 0
		}
		return p.AppendTo(nil)
	case opPing:
		return packet.AppendPingreq(nil)
	case opDisconnect:
		return packet.AppendDisconnect(nil)
	case opBroken:
		return broken(d.next(), d.next())
	}
	p, b := d.message(number)
	if p.QoS > 0 {
		p.ID = uint16(b>>4) + 1
	}
	return p.AppendTo(nil)
}

// message makes a message, of two bytes, and returns the second. Bits 0-4 of the first are the topic; of the
// second, 0-1 are the QoS, and the others are RETAIN (2), DUP (3) and the identifier. QoS 3 stands for a message of an
// unusual size, of which the identifier is the number, at QoS 1, or with bit 3 at QoS 0, and without DUP.
func (d *decoder) message(number int) (p packet.Publish, b byte) {
	t, b := d.next(), d.next()
	if d.s.Profile == "tight" { // a message for which there is no room at all is another matter
		t &= 15
	}
	p = packet.Publish{Topic: []byte(topics[t&31]), Payload: fmt.Appendf(nil, "m%d", number), QoS: b & 3 % 3,
		Retain: b&4 != 0, Dup: b&8 != 0}
	if b&3 == 3 && d.s.Profile != "tight" {
		p.QoS, p.Dup = 1-b>>3&1, false
		p.Payload = sized(p.Payload, sizes[b>>4])
	}
	return p, b
}

// sized fills up a payload, or leaves nothing of it.
func sized(payload []byte, size int) []byte {
	if size == 0 {
		return nil
	}
	return append(payload, bytes.Repeat([]byte{'.'}, size-len(payload))...)
}

// filterOf is the filter of a byte of SUBSCRIBE or UNSUBSCRIBE.
func filterOf(b byte) string {
	if b>>6 == 3 {
		return rareFilters[b&31]
	}
	return filters[b&31]
}

// Encode makes bytes of a script that Decode turns into the same script again, but for its payloads, which
// are numbered anew. It reports false if the script uses words that have no code.
func Encode(s *Script) ([]byte, bool) {
	profile, chunk := slices.Index(profiles[:], s.Profile), slices.Index(chunks[:], s.Chunk)
	if profile < 0 || chunk < 0 {
		return nil, false
	}
	out := []byte{byte(profile | chunk<<2)}
	if s.Disk {
		out[0] |= 0x10
	}
	if s.Other {
		out[0] |= 0x20
	}
	if s.Watched {
		out[0] |= 0x40
	}
	if s.Told {
		out[0] |= 0x80
	}
	for i := range s.Steps {
		code, ok := encodeStep(out, s, i)
		if !ok {
			return nil, false
		}
		out = append(out, code...)
	}
	return out, true
}

// encodeStep tries every operation with every argument and takes the one that brings the step back: the
// decoder alone says what bytes mean.
func encodeStep(before []byte, s *Script, i int) ([]byte, bool) {
	st := &s.Steps[i]
	base := byte(st.Conn&3) << 4
	if st.Kind == PowerCut && st.Raw != nil {
		plain := *s
		plain.Steps = slices.Clone(s.Steps[:i+1])
		plain.Steps[i].Kind = Send
		code, ok := encodeStep(before, &plain, i)
		code = append([]byte{2<<4 | opRestart}, code...)
		got := Decode(append(before[:len(before):len(before)], code...)).Steps
		return code, ok && len(got) == i+1 && sameStep(&got[i], st)
	}
	if st.Join {
		base |= 0x40
	}
	good := func(code ...byte) bool {
		got := Decode(append(before[:len(before):len(before)], code...)).Steps
		return len(got) == i+1 && sameStep(&got[i], st)
	}
	var f packet.Type
	if st.Kind == Send {
		f = packet.Type(st.Raw[0] >> 4)
	}
	switch {
	case st.Kind == Cut:
		return []byte{base | opCut}, good(base | opCut)
	case st.Kind == Restart:
		return []byte{opRestart}, true
	case st.Kind == Late:
		return []byte{0x40 | opRestart}, true
	case st.Kind == PowerCut:
		return []byte{1<<4 | opRestart}, true
	case st.Kind == Stall:
		return []byte{base | opManner, 0}, true
	case st.Kind == Read:
		return []byte{base | opManner, 1}, true
	case st.Kind == Hold:
		return []byte{base | opManner, 2}, true
	case st.Kind == Wait:
		at := slices.Index(waits[:], st.For)
		return []byte{opWait, byte(at)}, at >= 0
	case st.Kind == Host:
		code := encodeHost(st.Call, good)
		return code, code != nil
	case st.Kind == Again:
		return []byte{base | opAck, 8}, true
	case st.Kind == Ack:
		return []byte{base | opAck, byte(st.N)}, st.N < 8
	case f == packet.TypePublish:
		for t := range topics {
			for b := range 256 {
				if good(base|opPublish, byte(t), byte(b)) {
					return []byte{base | opPublish, byte(t), byte(b)}, true
				}
			}
		}
	case f == packet.TypeConnect:
		for b := range 256 {
			if good(base|opConnect, byte(b)) {
				return []byte{base | opConnect, byte(b)}, true
			}
		}
	case f == packet.TypePingreq && good(base|opPing):
		return []byte{base | opPing}, true
	case f == packet.TypeDisconnect && good(base|opDisconnect):
		return []byte{base | opDisconnect}, true
	case f == packet.TypeSubscribe || f == packet.TypeUnsubscribe:
		if code := encodeFilters(base, st.Raw); code != nil && good(code...) {
			return code, true
		}
	}
	if len(st.Raw) > 255 {
		return nil, false
	}
	code := append([]byte{base | opRaw, byte(len(st.Raw))}, st.Raw...)
	return code, good(code...)
}

func encodeFilters(base byte, raw []byte) (code []byte) {
	f, _, _, err := packet.Next(raw, lenient)
	if err != nil {
		return nil
	}
	add := func(op byte, filter []byte, qos byte) bool {
		at := slices.Index(filters[:], string(filter))
		if rare := slices.Index(rareFilters[:], string(filter)); at < 0 && rare >= 0 {
			at, qos = rare, 3
		}
		if code == nil {
			code = []byte{base | op}
		} else {
			code[len(code)-1] |= 0x20
		}
		code = append(code, byte(at&31)|qos<<6)
		return at >= 0
	}
	var s packet.Subscribe
	var u packet.Unsubscribe
	if s.Decode(f, lenient) == nil {
		for filter, qos := range s.All() {
			if !add(opSubscribe, filter, qos) {
				return nil
			}
		}
	} else if u.Decode(f, lenient) == nil {
		for filter := range u.All() {
			if !add(opUnsubscribe, filter, 0) {
				return nil
			}
		}
	}
	return code
}

// sameStep compares two steps but for the payload and the identifiers that the decoder numbers.
func sameStep(a, b *Step) bool {
	if a.Kind != b.Kind || a.Conn != b.Conn || a.Join != b.Join || a.N != b.N || a.For != b.For {
		return false
	}
	if a.Kind == Host {
		return sameCall(*a.Call, *b.Call)
	}
	return bytes.Equal(numberless(a.Raw), numberless(b.Raw))
}

// numberless is a packet without what the decoder numbers: the payload of PUBLISH, the identifier of
// SUBSCRIBE and UNSUBSCRIBE.
func numberless(raw []byte) []byte {
	f, n, _, err := packet.Next(raw, lenient)
	if err != nil || n != len(raw) {
		return raw
	}
	switch f.Type() {
	case packet.TypePublish:
		var p packet.Publish
		if p.Decode(f, lenient) == nil {
			p.Payload = make([]byte, numberlessSize(len(p.Payload)))
			return p.AppendTo(nil)
		}
	case packet.TypeSubscribe, packet.TypeUnsubscribe:
		raw = bytes.Clone(raw)
		b := raw[len(raw)-len(f.Body()):]
		b[0], b[1] = 0, 1
	}
	return raw
}

// numberlessSize is the size of a payload, or 1 for one with nothing but a number.
func numberlessSize(size int) int {
	if 0 < size && size < 32 {
		return 1
	}
	return size
}
