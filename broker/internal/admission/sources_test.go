package admission

import (
	"net/netip"
	"testing"
	"time"
	"unsafe"
)

func TestSourceOf(t *testing.T) {
	of := func(text string) Source { return SourceOf(netip.MustParseAddr(text)) }
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::", true}, // one /64
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
		{"::2", "0.0.0.2", false},
		{"0.0.0.0", "::", false},
	} {
		if got := of(c.a) == of(c.b); got != c.same {
			t.Errorf("%s and %s are one source: %v", c.a, c.b, got)
		}
		if !of(c.a).Counted() || !of(c.b).Counted() {
			t.Errorf("%s or %s is not counted", c.a, c.b)
		}
	}
	for _, own := range []netip.Addr{{}, netip.MustParseAddr("127.3.2.1"), netip.IPv6Loopback(), netip.MustParseAddr("::ffff:127.0.0.1")} {
		if SourceOf(own).Counted() {
			t.Errorf("%v is counted", own)
		}
	}
}

func TestSourceIsBoundInNumberAndRate(t *testing.T) {
	clock := newManual()
	s := NewSources(Limits{Open: 3, Rate: 10, Burst: 5}, clock)
	one, other := Source{low: 1}, Source{low: 2}
	arrive := func(from Source, want Exceeded) {
		t.Helper()
		if got := s.Arrive(from); got != want {
			t.Errorf("Arrive: %v, want %v", got, want)
		}
	}
	for range 3 {
		arrive(one, Within)
	}
	arrive(one, OpenExceeded)
	arrive(other, Within)
	s.Leave(one)
	arrive(one, Within)
	s.Leave(one)
	arrive(one, Within) // the fifth
	s.Leave(one)
	arrive(one, RateExceeded)
	clock.advance(99 * time.Millisecond)
	arrive(one, RateExceeded)
	clock.advance(time.Millisecond)
	arrive(one, Within)
	s.Leave(one)
	arrive(one, RateExceeded)
	clock.advance(time.Hour)
	arrive(one, Within) // three are open
	arrive(one, OpenExceeded)
	if s.Len() != 2 {
		t.Errorf("%d sources are known", s.Len())
	}
}

// Without limits, and for what is not counted, nothing is refused or remembered.
func TestSourcesWithoutLimits(t *testing.T) {
	s := NewSources(Limits{}, newManual())
	bound := NewSources(Limits{Open: 1, Rate: 1, Burst: 1}, newManual())
	for range 100 {
		if s.Arrive(Source{low: 1}) != Within || bound.Arrive(Source{}) != Within {
			t.Fatal("refused")
		}
	}
	s.Leave(Source{low: 1})
	bound.Leave(Source{})
	if s.Len() != 0 || bound.Len() != 0 {
		t.Errorf("%d and %d sources are known", s.Len(), bound.Len())
	}
}

// A flood from ever other addresses takes bounded memory; open connections are never forgotten.
func TestSourcesAreBoundInMemory(t *testing.T) {
	clock := newManual()
	s := NewSources(Limits{Open: 1, Rate: 1, Burst: 10}, clock)
	const open = 1000
	for i := range uint64(open) {
		s.Arrive(Source{low: 1 + i})
	}
	for i := range uint64(3 * MostIdle) {
		from := Source{high: 1 + i, low: 1}
		if s.Arrive(from) != Within {
			t.Fatalf("source %d was refused", i)
		}
		s.Leave(from)
	}
	if n := s.Len(); n > MostIdle+open {
		t.Errorf("%d sources are remembered, more than %d", n, MostIdle+open)
	}
	for i := range uint64(open) {
		if s.Arrive(Source{low: 1 + i}) != OpenExceeded {
			t.Fatalf("open connection %d was forgotten", i)
		}
	}
	clock.advance(time.Hour)
	for i := range uint64(MostIdle) {
		s.Arrive(Source{high: 1 + i, low: 2})
		s.Leave(Source{high: 1 + i, low: 2})
	}
	if n := s.Len(); n > MostIdle+open {
		t.Errorf("%d sources are remembered", n)
	}
	t.Logf("at most %d idle sources of %d bytes, and %d bytes for each with a connection, before the maps' own",
		MostIdle, unsafe.Sizeof(Source{})+unsafe.Sizeof(int64(0)), unsafe.Sizeof(Source{})+unsafe.Sizeof(account{}))
}

func TestPace(t *testing.T) {
	clock := newManual()
	p := NewPace(100, 3, clock)
	for i, want := range []time.Duration{0, 0, 0, 10, 20} {
		if got := p.Next(); got != want*time.Millisecond {
			t.Errorf("event %d waits %v, want %v", i, got, want)
		}
	}
	clock.advance(time.Second)
	if got := p.Next(); got != 0 {
		t.Errorf("after a pause: %v", got)
	}
	if free := NewPace(0, 0, clock); free.Next()+free.Next() != 0 {
		t.Error("a pace without a rate makes wait")
	}
}

func TestSparse(t *testing.T) {
	clock := newManual()
	s := NewSparse(10, 2, clock)
	told, missed := 0, uint64(0)
	for range 1000 {
		ok, n := s.Tell()
		if ok {
			told++
			missed += n
		}
		clock.advance(time.Millisecond)
	}
	if told < 10 || told > 13 {
		t.Errorf("%d lines in a second", told)
	}
	clock.advance(time.Second)
	if ok, n := s.Tell(); !ok || int(missed+n)+told != 1000 {
		t.Errorf("%d told, %d+%d missed, of 1000", told, missed, n)
	}
}
