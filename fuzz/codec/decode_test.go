package codec

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sampan/internal/ceiling"
	"sampan/packet"
)

// codec is what every decoded packet can do.
type codec interface {
	Decode(packet.Frame, *packet.Limits) error
	Check(*packet.Limits) error
	Size() int
	AppendTo([]byte) []byte
}

// decoders holds one value of each packet; they are used again and again, as a
// broker does, so that anything left over from the packet before shows.
type decoders struct {
	connect     packet.Connect
	connack     packet.Connack
	publish     packet.Publish
	ack         packet.Ack
	subscribe   packet.Subscribe
	suback      packet.Suback
	unsubscribe packet.Unsubscribe
}

// of returns the value for a packet of type t, nil if such a packet has no body.
func (d *decoders) of(t packet.Type) codec {
	switch t {
	case packet.TypeConnect:
		return &d.connect
	case packet.TypeConnack:
		return &d.connack
	case packet.TypePublish:
		return &d.publish
	case packet.TypePuback, packet.TypePubrec, packet.TypePubrel, packet.TypePubcomp, packet.TypeUnsuback:
		return &d.ack
	case packet.TypeSubscribe:
		return &d.subscribe
	case packet.TypeSuback:
		return &d.suback
	case packet.TypeUnsubscribe:
		return &d.unsubscribe
	}
	return nil
}

// codecLimits are the limits that a byte of the input chooses from.
var codecLimits = func() []*packet.Limits {
	platform := packet.DefaultLimits()
	platform31 := packet.DefaultLimits()
	platform31.Level = packet.Level31
	platform31.Types = packet.FromClient
	refuse := packet.Limits{
		Levels: packet.AcceptLevel4, PublishQoS2: packet.Refuse, SubscribeQoS2: packet.Refuse,
		Will: packet.Refuse, Retain: packet.Refuse, ExcessFilters: packet.Refuse,
		Remaining: 300, Connect: 200, Payload: 64, Topic: 16, Slashes: 2, Filters: 2,
	}
	ignore := packet.Limits{
		PublishQoS2: packet.Ignore, SubscribeQoS2: packet.Ignore, Retain: packet.Ignore,
		ExcessFilters: packet.Ignore, Filters: 1,
	}
	return []*packet.Limits{nil, {Level: packet.Level31}, &platform, &platform31, &refuse, &ignore}
}()

// FuzzDecode: any bytes, under any limits, decode to a legal packet that comes
// back byte by byte, or to a typed error; nothing panics, and a length that is
// only claimed allocates no more than the ceiling leaves, some 16 MiB. Smaller
// ones are for TestLengthsThatAreClaimedAllocateNothing.
func FuzzDecode(f *testing.F) {
	laws := new(decodeLaws)
	f.Fuzz(func(t *testing.T, limits byte, data []byte) { laws.hold(t, limits, data) })
}

// TestDecodeOnMutations does the same with seeds that a simple mutator changes:
// deterministic, and without the native fuzzer's own cost for each execution.
func TestDecodeOnMutations(t *testing.T) {
	m := newMutator(t)
	laws := new(decodeLaws)
	n := 300_000
	if testing.Short() {
		n = 20_000
	}
	for range n {
		limits, data := m.next()
		laws.hold(t, limits, data)
	}
}

// BenchmarkDecodeLaws measures one execution of FuzzDecode, mutation included.
func BenchmarkDecodeLaws(b *testing.B) {
	m := newMutator(b)
	laws := new(decodeLaws)
	for b.Loop() {
		limits, data := m.next()
		laws.hold(b, limits, data)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "execs/s")
}

// decodeLaws is the property of FuzzDecode, with what it uses again and again.
type decodeLaws struct {
	d, again decoders
	scratch  []byte
	third    []byte
}

// hold fails t if a law is broken by data under the limits.
func (l *decodeLaws) hold(t testing.TB, limits byte, data []byte) {
	defer ceiling.Bytes(ceiling.Lots + 32*len(data)).Hold(t)()
	l.stream(t, codecLimits[int(limits)%len(codecLimits)], data)
}

// stream does what hold does, without its ceiling.
func (l *decodeLaws) stream(t testing.TB, lim *packet.Limits, data []byte) {
	for rest := data; len(rest) > 0; {
		fr, n, need, err := packet.Next(rest, lim)
		if err != nil {
			mustBeTyped(t, err, rest)
			if n != 0 || need != 0 {
				t.Fatalf("%x: error %v with n=%d need=%d", rest, err, n, need)
			}
			break
		}
		if (n > 0) == (need > 0) || n > len(rest) || need < 0 {
			t.Fatalf("%x: n=%d need=%d", rest, n, need)
		}
		if n == 0 {
			break
		}
		if !bytes.Equal(fr.Raw, rest[:n]) || cap(fr.Raw) != n || cap(fr.Body()) != len(fr.Body()) {
			t.Fatalf("%x: the frame is %x", rest, fr.Raw)
		}
		l.frame(t, fr, lim)
		rest = rest[n:]
	}
}

// mustBeTyped checks the error for the packet that begins with b.
func mustBeTyped(t testing.TB, err error, b []byte) {
	t.Helper()
	var e *packet.Error
	if !errors.As(err, &e) {
		t.Fatalf("%x: %T is not a *packet.Error", b, err)
	}
	if e.Rule.Text() == "" || e.Type != packet.Type(b[0]>>4) || e.Offset < 0 || e.Offset > len(b) || !e.Fatal() {
		t.Fatalf("%x: %+v", b, *e)
	}
	if code, ok := e.Connack(); ok && (e.Type != packet.TypeConnect || code == packet.Accepted) {
		t.Fatalf("%x: CONNACK %v for %+v", b, code, *e)
	}
}

// frame decodes a frame, encodes what came out and decodes that.
func (l *decodeLaws) frame(t testing.TB, fr packet.Frame, lim *packet.Limits) {
	p := l.d.of(fr.Type())
	if p == nil {
		if len(fr.Body()) != 0 {
			t.Fatalf("%x: %v with a body", fr.Raw, fr.Type())
		}
		return
	}
	err := p.Decode(fr, lim)
	if fr.Type() == packet.TypePublish {
		sameAsCut(t, fr, lim, &l.d.publish, err)
	}
	if err != nil {
		mustBeTyped(t, err, fr.Raw)
		return
	}
	if err := p.Check(lim); err != nil && !partly(p) {
		t.Fatalf("%x: decoded, but not legal: %v", fr.Raw, err)
	}

	l.scratch = p.AppendTo(l.scratch[:0])
	if len(l.scratch) != p.Size() {
		t.Fatalf("%x: Size %d, %d bytes appended", fr.Raw, p.Size(), len(l.scratch))
	}
	fr2, n, _, err := packet.Next(l.scratch, lim)
	if err != nil || n != len(l.scratch) {
		t.Fatalf("%x became %x: n=%d, %v", fr.Raw, l.scratch, n, err)
	}
	q := l.again.of(fr2.Type())
	if err := q.Decode(fr2, lim); err != nil {
		t.Fatalf("%x became %x: %v", fr.Raw, l.scratch, err)
	}
	if l.third = q.AppendTo(l.third[:0]); !bytes.Equal(l.third, l.scratch) {
		t.Fatalf("%x became %x and then %x", fr.Raw, l.scratch, l.third)
	}
	// Only what was ignored, or never carried meaning, may be lost on the way.
	if len(l.scratch) == len(fr.Raw) && !bytes.Equal(l.scratch, fr.Raw) && !partly(p) && !lossy(lim, fr.Type()) {
		t.Fatalf("%x became %x", fr.Raw, l.scratch)
	}
}

// partly reports whether the view leaves out something that was sent.
func partly(p codec) bool {
	switch p := p.(type) {
	case *packet.Connect:
		return p.Ignored != 0
	case *packet.Publish:
		return p.Ignored != 0
	}
	return false
}

// lossy reports whether packets of the type have bits that nobody looks at:
// CONNACK of MQTT 3.1 has, and CONNECT of 3.1 may lack what its flags announce.
func lossy(lim *packet.Limits, t packet.Type) bool {
	return t == packet.TypeConnect || t == packet.TypeConnack && lim != nil && lim.Level == packet.Level31
}

// sameAsCut compares the fast path with what Decode made of the frame.
func sameAsCut(t testing.TB, fr packet.Frame, lim *packet.Limits, p *packet.Publish, decodeErr error) {
	var fast packet.Publish
	n := fast.Cut(fr.Raw, lim)
	if n == 0 {
		return
	}
	if decodeErr != nil || n != len(fr.Raw) || !bytes.Equal(fast.Topic, p.Topic) || !bytes.Equal(fast.Payload, p.Payload) ||
		fast.ID != p.ID || fast.QoS != p.QoS || fast.Dup != p.Dup || fast.Retain != p.Retain || fast.Ignored != p.Ignored {
		t.Fatalf("%x: Cut %d %+v, Decode %+v %v", fr.Raw, n, fast, *p, decodeErr)
	}
}

// mutator makes inputs of FuzzDecode's seeds: bits flipped, bytes set to values
// that matter, pieces cut out or doubled, seeds put one behind the other.
type mutator struct {
	seeds  [][]byte
	random uint64
	buf    []byte
}

func newMutator(t testing.TB) *mutator {
	t.Helper()
	files, err := filepath.Glob("testdata/fuzz/FuzzDecode/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no seeds: %v", err)
	}
	m := &mutator{random: 0x9e3779b97f4a7c15}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			quoted, ok := strings.CutPrefix(strings.TrimSpace(line), "[]byte(")
			if !ok {
				continue
			}
			seed, err := strconv.Unquote(strings.TrimSuffix(quoted, ")"))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if seed != "" {
				m.seeds = append(m.seeds, []byte(seed))
			}
		}
	}
	return m
}

// below returns a number from 0 to n-1, by xorshift.
func (m *mutator) below(n int) int {
	m.random ^= m.random << 13
	m.random ^= m.random >> 7
	m.random ^= m.random << 17
	return int(m.random % uint64(n))
}

// next returns the next input, valid until the one after it.
func (m *mutator) next() (limits byte, data []byte) {
	b := append(m.buf[:0], m.seeds[m.below(len(m.seeds))]...)
	for range m.below(4) {
		at := m.below(len(b))
		switch m.below(6) {
		case 0, 1:
			b[at] ^= 1 << m.below(8)
		case 2:
			const odd = "\x00\x01\x02+#/$\x7f\x80\xff\xc0\xed"
			b[at] = odd[m.below(len(odd))]
		case 3:
			b = b[:at+1]
		case 4:
			b = append(b[:at], b[min(len(b), at+1+m.below(8)):]...)
		case 5:
			b = append(b, m.seeds[m.below(len(m.seeds))]...)
		}
		if len(b) == 0 {
			b = append(b, 0x30)
		}
	}
	m.buf = b
	return byte(m.below(256)), b
}
