package proof

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestStampRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := NewSeal(rapid.Uint64().Draw(t, "key"), 4096)
		size := rapid.IntRange(StampSize, 4096).Draw(t, "size")
		want := Stamp{
			Stream: rapid.Uint32Range(0, MaxStreams-1).Draw(t, "stream"),
			Seq:    rapid.Uint64Range(0, seqMask).Draw(t, "seq"),
			Sent:   rapid.Uint64Range(0, tickMask).Draw(t, "sent"),
		}
		p := s.Append(nil, size, want)
		if len(p) != size {
			t.Fatalf("%d bytes, want %d", len(p), size)
		}
		if got, ok := s.Open(p); !ok || got != want {
			t.Fatalf("read %+v %v, wrote %+v: %x", got, ok, want, p[:StampSize])
		}
	})
}

// TestStampFindsEveryFlippedBit flips each bit of a payload in turn.
func TestStampFindsEveryFlippedBit(t *testing.T) {
	s := NewSeal(7, 100)
	p := s.Append(nil, 100, Stamp{5, 1234, Ticks(int64(3 * time.Second))})
	for bit := range 8 * len(p) {
		p[bit/8] ^= 1 << (bit % 8)
		if _, ok := s.Open(p); ok {
			t.Errorf("bit %d of byte %d flipped and not found", bit%8, bit/8)
		}
		p[bit/8] ^= 1 << (bit % 8)
	}
	if _, ok := s.Open(p); !ok {
		t.Error("the unchanged payload is refused")
	}
}

func TestStampRefuses(t *testing.T) {
	s := NewSeal(7, 64)
	p := s.Append(nil, 64, Stamp{1, 2, 3})
	other := s.Append(nil, 64, Stamp{1, 3, 3})
	for name, bad := range map[string][]byte{
		"empty":                      nil,
		"too short":                  p[:StampSize-1],
		"longer than any payload":    append(append([]byte{}, p...), make([]byte, 200)...),
		"the rest of another number": append(append([]byte{}, p[:StampSize]...), other[StampSize:]...),
		"another run":                NewSeal(8, 64).Append(nil, 64, Stamp{1, 2, 3}),
	} {
		if _, ok := s.Open(bad); ok {
			t.Errorf("%s: taken: %x", name, bad)
		}
	}
}

func TestTicksWrap(t *testing.T) {
	from := uint64(tickMask - 9)
	if got := Between(from, (from+20)&tickMask); got != 20*Tick {
		t.Errorf("across the wrap: %v, want %v", got, 20*Tick)
	}
	for moment, want := range map[uint64]bool{from - 1: false, from: true, 8: true, 9: false} {
		if Within(moment, from, 19) != want {
			t.Errorf("%d within 19 ticks from %d: want %v", moment, from, want)
		}
	}
	if got := Between(20, 19); got != 0 {
		t.Errorf("backwards: %v, want 0", got)
	}
}

func BenchmarkOpen(b *testing.B) {
	s := NewSeal(1, 64)
	p := s.Append(nil, 64, Stamp{1, 2, 3})
	for b.Loop() {
		if _, ok := s.Open(p); !ok {
			b.Fatal("refused")
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	s := NewSeal(1, 64)
	var (
		buf []byte
		m   Stamp
	)
	for b.Loop() {
		buf = s.Append(buf[:0], 64, m)
		m.Seq++
	}
}
