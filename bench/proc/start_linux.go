package proc

import (
	"fmt"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// startOn starts a command on some processors. A child inherits those of the
// thread that starts it, so that a runtime which counts processors when it
// begins counts the right ones.
func startOn(c *exec.Cmd, cpus []int) error {
	if len(cpus) == 0 {
		return c.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("run on processors %v: %w", cpus, err)
	}
	defer unix.SchedSetaffinity(0, &before)
	return c.Start()
}

// attach makes the command the head of a process group, and ties its life to
// that of this process.
func attach(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// signalGroup sends a signal to the command's group.
func signalGroup(c *exec.Cmd, sig syscall.Signal) { syscall.Kill(-c.Process.Pid, sig) }
