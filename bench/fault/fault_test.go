package fault

import (
	"errors"
	"testing"
)

func TestListCountsByKind(t *testing.T) {
	var l List
	l.Add(Lost, "message %d of stream %d", 7, 1)
	l.AddN(Lost, 4, "another")
	l.AddN(Doubled, 0, "nothing")
	l.Add(Refused, "client %q: not authorised", "a")
	err := Join(l.All())
	for kind, want := range map[Kind]bool{Lost: true, Refused: true, Doubled: false, Garbage: false} {
		if errors.Is(err, kind) != want {
			t.Errorf("%s in %v: want %v", kind, err, want)
		}
	}
	want := "lost 5 times, first: message 7 of stream 1\nrefused: client \"a\": not authorised"
	if err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	var f *Fault
	if !errors.As(err, &f) || f.Count != 5 {
		t.Errorf("errors.As gave %v", f)
	}
}

func TestNoFaultIsNoError(t *testing.T) {
	var l List
	if err := Join(l.All()); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestMergeAddsUp(t *testing.T) {
	var a, b List
	a.AddN(Lost, 2, "a")
	b.AddN(Stalled, 1, "b")
	b.AddN(Lost, 3, "c")
	sum := Merge(a.All(), b.All())
	if len(sum) != 2 || sum[0].Count != 5 || sum[0].First != "a" || sum[1].Kind != Stalled {
		t.Errorf("got %v", sum)
	}
	if a.All()[0].Count != 2 {
		t.Error("Merge changed its input")
	}
}

func TestShow(t *testing.T) {
	for _, c := range []struct {
		n    int
		want string
	}{{2, "00 01"}, {30, "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13 14 15 16 17 and 6 bytes more"}} {
		b := make([]byte, c.n)
		for i := range b {
			b[i] = byte(i)
		}
		if got := Show(b); got != c.want {
			t.Errorf("%d bytes: %q, want %q", c.n, got, c.want)
		}
	}
}
