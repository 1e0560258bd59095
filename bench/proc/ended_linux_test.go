package proc

import (
	"errors"
	"os"
	"os/exec"
	"testing"
)

// Who has no descriptor for a process does not say that it has ended.
func TestMemoryWithoutADescriptor(t *testing.T) {
	g := &Group{roots: []int{os.Getpid()}, known: []process{{pid: os.Getpid()}}}
	if _, err := g.Memory(); err != nil {
		t.Errorf("a running process: %v", err)
	}
	c := exec.Command("true")
	if err := c.Run(); err != nil {
		t.Skip(err)
	}
	g = &Group{roots: []int{c.Process.Pid}, known: []process{{pid: c.Process.Pid}}}
	if _, err := g.Memory(); !errors.Is(err, ErrEnded) {
		t.Errorf("a process that has ended: %v", err)
	}
	if _, err := Alone(c.Process.Pid).Read(); !errors.Is(err, ErrEnded) {
		t.Errorf("a process that has ended: %v", err)
	}
}
