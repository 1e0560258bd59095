package proc

import (
	"fmt"
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// startOn starts a command on some processors.
func startOn(c *exec.Cmd, cpus []int) (err error) {
	done := make(chan struct{})
	launches() <- func() {
		defer close(done)
		err = startHere(c, cpus)
	}
	<-done
	return err
}

// launches are carried out on a thread that starts all children and never ends: the kernel kills a child not with
// the process that has started it, but with the thread.
var launches = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() { // ends with the process
		runtime.LockOSThread()
		for launch := range work {
			launch()
		}
	}()
	return work
})

// startHere starts a command on this thread. A child inherits its processors,
// so that a runtime which counts processors when it begins counts the right
// ones.
func startHere(c *exec.Cmd, cpus []int) error {
	if len(cpus) == 0 {
		return c.Start()
	}
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
