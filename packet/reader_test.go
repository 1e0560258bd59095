package packet_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"testing"

	"sampan/packet"
)

var errEnd = errors.New("end")

// chunks is a source that returns at most so many bytes a read, in turn, and
// then errEnd.
type chunks struct {
	data  []byte
	sizes []int
	i     int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, errEnd
	}
	n := len(p)
	if len(c.sizes) > 0 {
		n = min(n, c.sizes[c.i%len(c.sizes)])
		c.i++
	}
	n = copy(p, c.data[:min(n, len(c.data))])
	c.data = c.data[n:]
	return n, nil
}

func TestReaderTakesAnyIOReader(t *testing.T) {
	var src io.Reader = bytes.NewReader(packet.AppendPingreq(nil))
	f, err := packet.NewReader(src, nil).Next()
	if err != nil || f.Type() != packet.TypePingreq {
		t.Fatalf("%v %v", f.Type(), err)
	}
}

// A peer that claims a packet of 256 MB and sends little of it must not cost
// more than twice what it sent.
func TestReaderDoesNotBelieveClaims(t *testing.T) {
	claim := packet.AppendClaim(nil, 0x30, packet.MaxRemaining, 4, []byte{0, 1, 'a'})
	for _, sent := range []int{0, 1, 100, 1000, 10_000, 100_000, 1_000_000} {
		for _, piece := range []int{1 << 20, 999} {
			src := &chunks{data: append(bytes.Clone(claim), make([]byte, sent)...), sizes: []int{piece}}
			total := len(src.data)
			r := packet.NewReader(src, nil)
			if _, err := r.Next(); err != errEnd {
				t.Fatal(err)
			}
			if r.Buffered() != total {
				t.Errorf("%d of %d bytes buffered", r.Buffered(), total)
			}
			if most := max(2*total, 32<<10); r.Cap() > most {
				t.Errorf("%d bytes sent in pieces of %d: the Reader holds %d bytes", total, piece, r.Cap())
			}
		}
	}
}

// An idle connection pays for what it needs to wait, not for the largest packet
// it has seen.
func TestReaderGivesMemoryBack(t *testing.T) {
	big := (&packet.Publish{Topic: []byte("a"), Payload: make([]byte, 200_000)}).AppendTo(nil)
	ping := packet.AppendPingreq(nil)
	src := &onePacketARead{packets: [][]byte{big}}
	for range 12 {
		src.packets = append(src.packets, ping)
	}
	r := packet.NewReader(src, nil)
	for i := 0; ; i++ {
		f, err := r.Next()
		if err != nil {
			break
		}
		if i == 0 && (len(f.Raw) != len(big) || r.Cap() < len(big)) {
			t.Fatalf("the large packet: %d bytes, %d held", len(f.Raw), r.Cap())
		}
		if i == 1 && r.Cap() > 32<<10 {
			t.Errorf("%d bytes held behind a large packet", r.Cap())
		}
		if i == 12 && r.Cap() > 512 {
			t.Errorf("%d bytes held after a quiet time", r.Cap())
		}
	}
}

// onePacketARead never returns bytes of two packets at once.
type onePacketARead struct{ packets [][]byte }

func (o *onePacketARead) Read(p []byte) (int, error) {
	if len(o.packets) == 0 {
		return 0, errEnd
	}
	n := copy(p, o.packets[0])
	if o.packets[0] = o.packets[0][n:]; len(o.packets[0]) == 0 {
		o.packets = o.packets[1:]
	}
	return n, nil
}

// A stream that ends inside a packet is told from one that ends between two.
func TestReaderAtTheEnd(t *testing.T) {
	ping := packet.AppendPingreq(nil)
	for _, tt := range []struct {
		data     []byte
		packets  int
		buffered int
	}{
		{nil, 0, 0},
		{ping, 1, 0},
		{append(bytes.Clone(ping), 0x30), 1, 1},
		{append(bytes.Clone(ping), 0x30, 9, 0, 1, 'a'), 1, 5},
	} {
		r := packet.NewReader(&chunks{data: tt.data}, nil)
		count := 0
		var err error
		for {
			if _, err = r.Next(); err != nil {
				break
			}
			count++
		}
		if count != tt.packets || err != errEnd || r.Buffered() != tt.buffered {
			t.Errorf("%x: %d packets, %v, %d bytes left", tt.data, count, err, r.Buffered())
		}
		if _, again := r.Next(); again != err {
			t.Errorf("%x: the error does not stay: %v", tt.data, again)
		}
	}
}

// withError returns its bytes and its error at once, as io.Reader allows.
type withError struct{ data []byte }

func (w *withError) Read(p []byte) (int, error) {
	n := copy(p, w.data)
	w.data = w.data[n:]
	return n, errEnd
}

func TestReaderHandsOutWhatCameWithAnError(t *testing.T) {
	r := packet.NewReader(&withError{append(packet.AppendPingreq(nil), packet.AppendPuback(nil, 1)...)}, nil)
	for _, want := range []packet.Type{packet.TypePingreq, packet.TypePuback} {
		if f, err := r.Next(); err != nil || f.Type() != want {
			t.Fatalf("%v %v, want %v", f.Type(), err, want)
		}
	}
	if _, err := r.Next(); err != errEnd {
		t.Fatal(err)
	}
}

// After a packet that breaks a rule nothing more is taken from the stream.
func TestReaderStopsAtAnError(t *testing.T) {
	stream := append(packet.AppendPingreq(nil), 0xff, 0)
	stream = append(stream, packet.AppendPingreq(nil)...)
	r := packet.NewReader(&chunks{data: stream}, nil)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	_, err := r.Next()
	var e *packet.Error
	if !errors.As(err, &e) || e.Rule != packet.RuleType {
		t.Fatalf("error %v, want %s", err, packet.RuleType)
	}
	if _, again := r.Next(); again != err {
		t.Errorf("then %v", again)
	}
	if r.Cap() != 0 {
		t.Errorf("%d bytes held after an error", r.Cap())
	}
}

func TestReaderSetLimits(t *testing.T) {
	again := packet.AppendFrame(nil, 0x8a, []byte{0, 1, 0, 1, 'a', 0}) // SUBSCRIBE with DUP
	lim := packet.Limits{Level: packet.Level31}
	r := packet.NewReader(&chunks{data: append(packet.AppendPingreq(nil), again...)}, nil)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	r.SetLimits(&lim)
	if _, err := r.Next(); err != nil {
		t.Errorf("DUP on SUBSCRIBE under MQTT 3.1: %v", err)
	}
}

type badSource func(p []byte) (int, error)

func (b badSource) Read(p []byte) (int, error) { return b(p) }

// A source that breaks io.Reader's contract cannot hang or break the Reader.
func TestReaderMistrustsItsSource(t *testing.T) {
	for name, src := range map[string]badSource{
		"nothing":   func([]byte) (int, error) { return 0, nil },
		"negative":  func([]byte) (int, error) { return -1, nil },
		"too many":  func(p []byte) (int, error) { return len(p) + 1, nil },
		"far more":  func(p []byte) (int, error) { return math.MaxInt, nil },
		"with both": func([]byte) (int, error) { return -5, errEnd },
	} {
		if _, err := packet.NewReader(src, nil).Next(); err != packet.ErrSource {
			t.Errorf("%s: %v, want ErrSource", name, err)
		}
	}
}
