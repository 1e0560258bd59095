package proc

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Child is a program that runs beside this one, and is not to outlive it.
type Child struct {
	command *exec.Cmd
	ended   chan struct{} // closed when the program has ended
}

// Launch starts a command. It gets no signals from the keyboard, which are
// for this process to pass on. On Linux it is killed when this process ends,
// by whatever signal; what it has started itself is not. If cpus are given, it
// runs only on those, from its first instruction on.
func Launch(c *exec.Cmd, cpus []int) (*Child, error) {
	attach(c)
	if err := startOn(c, cpus); err != nil {
		return nil, fmt.Errorf("proc: start %s: %w", c.Path, err)
	}
	child := &Child{command: c, ended: make(chan struct{})}
	go func() { // ends with the program
		c.Wait()
		close(child.ended)
	}()
	return child, nil
}

// Path is the file that runs.
func (c *Child) Path() string { return c.command.Path }

// Ended is closed when the program has ended, and its output has arrived.
func (c *Child) Ended() <-chan struct{} { return c.ended }

// State says how the program has ended. It is called when Ended is closed.
func (c *Child) State() *os.ProcessState { return c.command.ProcessState }

// End sends a signal to the program and what it has started, and returns when
// the program has ended. If that takes longer than patience, they are killed,
// and it returns false.
func (c *Child) End(signal syscall.Signal, patience time.Duration) (inTime bool) {
	select {
	case <-c.ended:
		return true // its process id may be somebody else's by now
	default:
	}
	signalGroup(c.command, signal)
	select {
	case <-c.ended:
		return true
	case <-time.After(patience):
	}
	signalGroup(c.command, syscall.SIGKILL)
	<-c.ended
	return false
}
