package proc

import (
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"testing"
	"time"
)

// TestOwnProcess burns processor time and memory and finds both.
func TestOwnProcess(t *testing.T) {
	debug.FreeOSMemory() // what a run before has left
	g := NewGroup(os.Getpid())
	before, err := g.Read()
	if err != nil {
		t.Fatal(err)
	}
	if before.Threads == 0 || before.Processors == 0 || before.Files == 0 {
		t.Errorf("threads, processors, files: %+v", before)
	}
	memory := make([]byte, 64<<20)
	sum := 0
	for g.CPU() < before.CPU+50*time.Millisecond {
		for i := 0; i < len(memory); i += 64 {
			memory[i]++
			sum += int(memory[i])
		}
	}
	after, err := g.Read()
	if err != nil {
		t.Fatal(err, sum)
	}
	if used := after.CPU - before.CPU; used < 50*time.Millisecond || used > time.Minute {
		t.Errorf("used %v, want at least 50 ms", used)
	}
	if grown := int64(after.RSS) - int64(before.RSS); grown < 60<<20 {
		t.Errorf("grown by %d bytes, want 64 MiB", grown)
	}
	if most := after.Busiest(&Usage{}); most > after.CPU || most == 0 {
		t.Errorf("busiest thread %v of %v", most, after.CPU)
	}
	if parts := after.User + after.System; parts > after.CPU+time.Second || parts < after.CPU-time.Second {
		t.Errorf("user and system %v of %v", parts, after.CPU)
	}
	memory[0] = 1
}

// TestChildrenBelong starts a shell that starts something else.
func TestChildrenBelong(t *testing.T) {
	c := exec.Command("sh", "-c", "cat; :")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Skip("no shell: ", err)
	}
	io.WriteString(in, "x")
	io.ReadFull(out, make([]byte, 1)) // cat is running
	g := NewGroup(c.Process.Pid)
	pids := g.PIDs()
	if len(pids) != 2 || !slices.Contains(pids, c.Process.Pid) {
		t.Errorf("processes %v, want %d and its child", pids, c.Process.Pid)
	}
	if pids := Alone(c.Process.Pid).PIDs(); len(pids) != 1 {
		t.Errorf("alone: processes %v", pids)
	}
	in.Close()
	c.Wait()
	if _, err := g.Read(); err == nil {
		t.Error("a group that has ended can be read")
	}
}

func TestField(t *testing.T) {
	text := []byte("head\nRss:            1234 kB\nPss:\nPss_Dirty: 7 kB\n")
	for name, want := range map[string]uint64{"Rss:": 1234, "Pss:": 0, "Pss_Dirty:": 7, "None:": 0} {
		if got := field(text, name); got != want {
			t.Errorf("%s %d, want %d", name, got, want)
		}
	}
}
