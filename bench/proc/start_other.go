//go:build !linux

package proc

import (
	"os/exec"
	"syscall"
)

// startOn starts a command; this system has no way to choose processors.
func startOn(c *exec.Cmd, cpus []int) error {
	if len(cpus) > 0 {
		return ErrUnsupported
	}
	return c.Start()
}

func attach(*exec.Cmd) {}

// signalGroup sends a signal to the command, or kills it where there are no
// signals.
func signalGroup(c *exec.Cmd, sig syscall.Signal) {
	if err := c.Process.Signal(sig); err != nil {
		c.Process.Kill()
	}
}

// Pin keeps this process on some processors, which only Linux can.
func Pin(cpus []int) (unpin func(), err error) {
	if len(cpus) > 0 {
		return nil, ErrUnsupported
	}
	return func() {}, nil
}

// Allowed lists the processors that this process may use; nil: not known.
func Allowed() ([]int, error) { return nil, nil }
