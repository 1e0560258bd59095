// Package control is how the commands look after a broker's products, devices and keys: the same operations,
// carried out on the data directory when no broker runs there, or by the broker that does.
//
// A running broker listens on a socket in its data directory. Whoever may open that socket may read the
// directory, which holds every secret, so it asks for no other proof.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sampan/broker"
	"sampan/broker/device"
	"sampan/broker/platform"
)

// Backend is what operations work on.
type Backend struct {
	Registry *device.Registry
	Live     *Live // nil if no broker runs
}

// Live is a running broker.
type Live struct {
	Broker   *broker.Broker
	Platform *platform.Platform
}

// ErrNotRunning is the error of an operation that needs a running broker.
var ErrNotRunning = errors.New("no broker runs on this data directory")

// operation is something that can be asked for: its name on the wire, and what it does.
type operation[P, R any] struct {
	name string
	do   func(ctx context.Context, b *Backend, p P) (R, error)
}

// handler is an operation without its types.
type handler func(ctx context.Context, b *Backend, params []byte) ([]byte, error)

// handlers are all operations by name.
var handlers = map[string]handler{}

// define makes an operation known by its name.
func define[P, R any](name string, do func(ctx context.Context, b *Backend, p P) (R, error)) operation[P, R] {
	handlers[name] = func(ctx context.Context, b *Backend, params []byte) ([]byte, error) {
		var p P
		if err := json.Unmarshal(params, &p); err != nil {
			return nil, fmt.Errorf("the parameters of %s: %w", name, err)
		}
		result, err := do(ctx, b, p)
		if err != nil {
			return nil, err
		}
		return json.Marshal(result)
	}
	return operation[P, R]{name, do}
}

// Caller carries operations out, here or elsewhere.
type Caller interface {
	call(ctx context.Context, name string, params []byte) ([]byte, error)
	// Close lets go of the data directory or of the connection to the broker.
	Close() error
}

func (o operation[P, R]) on(ctx context.Context, c Caller, p P) (R, error) {
	var result R
	if err := checkText(p); err != nil {
		return result, err
	}
	params, err := json.Marshal(p)
	if err != nil {
		return result, err
	}
	answer, err := c.call(ctx, o.name, params)
	if err != nil {
		return result, err
	}
	return result, json.Unmarshal(answer, &result)
}

// nothing is the parameters or the result of an operation that has none.
type nothing struct{}

// moment is a time in results: nothing if there is none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
