package main

import (
	"io"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"sampan/packet"
)

// TestEveryWayDoesItsJob: no line of the table may be fast because its packet
// was not read or written.
func TestEveryWayDoesItsJob(t *testing.T) {
	all, err := jobs()
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range all {
		if len(j.ways) < 2 {
			t.Errorf("%s has nothing to compare with", j.name)
		}
		for _, w := range j.ways {
			if err := w.run(100); err != nil {
				t.Errorf("%s, %s: %v", j.name, w.name, err)
			}
		}
	}
}

// TestSampanAllocatesNothing guards the column of the table that no machine
// disturbs.
func TestSampanAllocatesNothing(t *testing.T) {
	all, err := jobs()
	if err != nil {
		t.Fatal(err)
	}
	results, err := measure(all, 1, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Way[:6] == "sampan" && r.Allocs > 0.05 {
			t.Errorf("%s, %s: %.2f allocations", r.Job, r.Way, r.Allocs)
		}
		if r.Ns <= 0 || r.Best > r.Ns {
			t.Errorf("%s, %s: median %v, best %v", r.Job, r.Way, r.Ns, r.Best)
		}
	}
	for _, asJSON := range []bool{false, true} {
		if err := report(io.Discard, results, asJSON); err != nil {
			t.Error(err)
		}
	}
}

func TestNothingIsNoMeasurement(t *testing.T) {
	all, err := jobs()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := measure(all, 0, time.Millisecond); err == nil {
		t.Error("no rounds")
	}
	if _, err := measure(all, 1, 0); err == nil {
		t.Error("no time")
	}
}

// A broker that writes nothing does not pass for one that is quick.
func TestWhatIsNotWrittenIsNoticed(t *testing.T) {
	pk, err := mochiPacket(packet.AppendPuback(nil, 7), (*packets.Packet).PubackDecode)
	if err != nil {
		t.Fatal(err)
	}
	pk.FixedHeader.Remaining = 100 // more than there is
	if err := mochiWrite(pk, false)(1); err != errNotWritten {
		t.Errorf("got %v", err)
	}
}

// TestReplay: the connection repeats its packet without a gap.
func TestReplay(t *testing.T) {
	r := replay{raw: []byte("abc")}
	var got []byte
	for _, n := range []int{1, 5, 2, 3} {
		p := make([]byte, n)
		if m, err := r.Read(p); m != n || err != nil {
			t.Fatal(m, err)
		}
		got = append(got, p...)
	}
	if string(got) != "abcabcabcab" {
		t.Errorf("%s", got)
	}
}
