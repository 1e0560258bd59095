package proc

import (
	"runtime"
	"slices"
	"testing"
)

func TestPin(t *testing.T) {
	before, err := Allowed()
	if err != nil || len(before) == 0 {
		t.Fatal(before, err)
	}
	procs := runtime.GOMAXPROCS(0)
	unpin, err := Pin(before[:1])
	if err != nil {
		t.Fatal(err)
	}
	if now, err := Allowed(); err != nil || !slices.Equal(now, before[:1]) || runtime.GOMAXPROCS(0) != 1 {
		t.Errorf("pinned to %v: runs on %v, %d at a time, %v", before[:1], now, runtime.GOMAXPROCS(0), err)
	}
	unpin()
	if now, _ := Allowed(); !slices.Equal(now, before) || runtime.GOMAXPROCS(0) != procs {
		t.Errorf("unpinned: runs on %v, want %v", now, before)
	}
	if _, err := Pin([]int{4000}); err == nil {
		t.Error("pinned to a processor that is not there")
	}
	if now, _ := Allowed(); !slices.Equal(now, before) {
		t.Errorf("after a failure: runs on %v, want %v", now, before)
	}
	unpin, err = Pin(nil)
	if err != nil {
		t.Fatal(err)
	}
	unpin()
}
