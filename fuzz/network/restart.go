package network

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sampan/fuzz/model"
)

// Errors for what scripts can ask of a broker in this process only, or of one that somebody else runs.
var (
	ErrNoRestart = errors.New("nobody has said how this broker is restarted")
	ErrNoPower   = errors.New("the power of a broker over the network cannot be cut")
	ErrNoStore   = errors.New("the store of a broker over the network cannot be held up")
	ErrNoHost    = errors.New("the program in whose process a broker is cannot be called over the network")
	ErrNoStall   = errors.New("a network holds too much for a client that does not read to be noticed")
)

// Restart implements script.Target.
func (t *Target) Restart() error {
	if t.Restarter == nil {
		return ErrNoRestart
	}
	t.Said = append(t.Said, "restart")
	return t.Restarter(t.ctx)
}

// PowerCut implements script.Target.
func (t *Target) PowerCut(int, []byte) ([]byte, bool, error) { return nil, false, ErrNoPower }

// Late implements script.Target.
func (t *Target) Late(bool) error { return ErrNoStore }

// Host implements script.Target.
func (t *Target) Host(*model.Call, string) error { return ErrNoHost }

// Stall implements script.Target.
func (t *Target) Stall(int) error { return ErrNoStall }

// Read implements script.Target.
func (t *Target) Read(int) error { return ErrNoStall }

// restartPatience is how long a broker may take until it accepts clients again.
const restartPatience = time.Minute

// RestartError says that a broker could not be restarted: the user's means to do so have failed, not the broker.
type RestartError struct{ Err error }

func (e *RestartError) Error() string { return "the broker cannot be restarted: " + e.Err.Error() }

// Unwrap returns what the Restarter has said.
func (e *RestartError) Unwrap() error { return e.Err }

// restart restarts the broker for a script, and waits until it answers a CONNECT.
func (r *run) restart(ctx context.Context) error {
	r.birds.close() // they would take it for a crash
	if err := r.c.Restart(ctx); err != nil {
		return &RestartError{err}
	}
	for begin := time.Now(); ; {
		probe, err := r.birds.connect(ctx, "probe")
		if err == nil {
			probe.nc.Close()
			return nil
		}
		if ctx.Err() != nil || time.Since(begin) > restartPatience {
			return fmt.Errorf("the broker does not come back after a restart: %w", err)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}
