package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"sampan/bench/load"
	"sampan/bench/scenario"
)

// Config is what to measure and how. Only Scenario and Target are needed.
type Config struct {
	Scenario scenario.Scenario
	Target   Target
	// Repeats is how often the scenario is measured, each time from the
	// beginning and, if the target is a command, with a new process. 0: once.
	Repeats int
	// CPUs are the processors on which this process, the generator, runs
	// while it measures. Empty: those that it has. Linux only.
	CPUs []int
	// Load is how clients connect and how patient they are. The scenario and
	// the target decide about Addr, KeepAlive and Tolerant. With Publish, the
	// publishers of Fanout and Broadcast are that function and not clients.
	Load load.Options
	// Call makes the calls of RRPC, for example through a server's HTTP
	// interface: it returns the device's answer. Nil: an MQTT client publishes
	// the requests and subscribes to the responses.
	Call func(ctx context.Context, device load.Credentials, payload []byte) ([]byte, error)
	// LossAllowed is the share of QoS 0 deliveries that may be lost without
	// an error, 0 to 1. A loss at QoS 1 is always an error. A closed load that
	// has lost anything has a Bottleneck: it waits for what does not come.
	LossAllowed float64
	// Progress is called about once a second, from one goroutine at a time.
	Progress func(Tick)

	trusting bool // takes the generator's figures however busy the machine is
}

// Target is the broker to measure.
type Target struct {
	// Name is what results call it; empty: the address or the command.
	Name string
	// Addr is where it listens, "host:port" or "unix:" and a path.
	Addr string
	// PIDs are its processes; those that they have started belong to them.
	// Without any, results have no processor time and no memory.
	PIDs []int
	// Command starts it for each measurement and ends it afterwards, instead
	// of Addr and PIDs. "{addr}", "{host}" and "{port}" in the words are
	// replaced by where it is to listen.
	Command []string
	// CPUs are the processors that a started broker may use. Empty: those that
	// this process had to begin with. Linux only.
	CPUs []int
}

// name is what results call the target.
func (t *Target) name() string {
	switch {
	case t.Name != "":
		return t.Name
	case len(t.Command) > 0:
		return filepath.Base(t.Command[0])
	}
	return t.Addr
}

func (t *Target) check() error {
	if (t.Addr == "") == (len(t.Command) == 0) {
		return fmt.Errorf("bench: target %q needs an address or a command", t.name())
	}
	return nil
}

// check finds everything that is wrong before anything is started.
func (c *Config) check() error {
	errs := []error{c.Scenario.Check(), c.Target.check()}
	if c.LossAllowed < 0 || c.LossAllowed > 1 {
		errs = append(errs, fmt.Errorf("bench: a share of %v may be lost", c.LossAllowed))
	}
	if c.Scenario.Shared && c.Load.Publish != nil {
		errs = append(errs, errors.New("bench: a shared subscription with a function that publishes"))
	}
	return errors.Join(errs...)
}

// Tick is how a measurement is going.
type Tick struct {
	Target   string
	Scenario string
	Phase    string // "connect", "warm-up", "load" and so on
	Round    int    // from 1
	Rounds   int
	Elapsed  time.Duration // of the phase
	Total    time.Duration // of the phase; 0 if it ends when all is done
	Online   int64         // connections
	Sent     float64       // messages a second
	Received float64       // messages a second
	Connects float64       // connections a second
	P99      time.Duration // of what arrived since the last tick
	Missing  int64         // messages overtaken by later ones, or lost
	Faults   int           // kinds of faults so far
}
