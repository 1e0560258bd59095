package ceiling

import (
	"fmt"
	"runtime/debug"
	"testing"
)

// recorder is a Test that keeps what fails.
type recorder []string

func (r *recorder) Errorf(format string, args ...any) { *r = append(*r, fmt.Sprintf(format, args...)) }

var kept []byte

func TestWhatIsAllocatedCountsEvenIfItIsFreed(t *testing.T) {
	for name, c := range map[string]struct {
		allocate int
		fails    bool
	}{
		"below":    {1 << 20, false},
		"above":    {9 << 20, true},
		"in parts": {1 << 10, true},
	} {
		t.Run(name, func(t *testing.T) {
			var r recorder
			end := Bytes(8 << 20).Hold(&r)
			times := 1
			if name == "in parts" {
				times = 10 << 10
			}
			for range times {
				kept = make([]byte, c.allocate)
			}
			end()
			if (len(r) > 0) != c.fails {
				t.Errorf("%d times %d bytes: %q", times, c.allocate, r)
			}
		})
	}
}

// A panic must stay one: what failed is then more than the ceiling.
func TestPanicIsNotHidden(t *testing.T) {
	var r recorder
	defer func() {
		if p := recover(); p != "the target's own" {
			t.Errorf("recovered %v", p)
		}
		if len(r) != 1 {
			t.Errorf("failed with %q", r)
		}
	}()
	defer Bytes(0).Hold(&r)()
	kept = make([]byte, 1<<20)
	panic("the target's own")
}

func TestWhatIsSpentIsKnownToTheByte(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for _, size := range []int{0, 16, 48, 64 << 10} {
		got := Spent(func() {
			if size > 0 {
				kept = make([]byte, size)
			}
		})
		if int(got) != size {
			t.Errorf("%d bytes were allocated, Spent says %d", size, got)
		}
	}
}

func BenchmarkHold(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Bytes(1 << 20).Hold(b)()
	}
}
