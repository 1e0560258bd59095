package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sampan/broker/device"
	"sampan/session/wal"
)

// Registry is the folder of the registry in a data directory.
func Registry(data string) string { return filepath.Join(data, "devices") }

// patience is how long Open waits for a directory that somebody has locked who does not answer, and retryEvery
// how often it looks. A broker that starts on an empty directory makes the first files of its logs before it
// answers: that takes seconds on a slow disk. One that ends, and other commands, are quicker.
const (
	patience   = 15 * time.Second
	retryEvery = 50 * time.Millisecond
)

// wait is what Open does between two looks; tests have it do something else.
var wait = func(ctx context.Context) error {
	select {
	case <-time.After(retryEvery):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Open returns the Caller for a data directory: the broker that runs on it, or else the registry in it, which is
// locked until Close. One that does not exist is an error: whoever only looks something up has mistyped the
// name. While another process has it locked and does not answer, such as a broker that is starting, Open waits,
// for 15 s at the most.
func Open(ctx context.Context, data string) (Caller, error) { return open(ctx, data, false) }

// OpenNew is Open for those who have something to put into the registry: what does not exist is made.
func OpenNew(ctx context.Context, data string) (Caller, error) { return open(ctx, data, true) }

func open(ctx context.Context, data string, create bool) (Caller, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		caller, err := try(ctx, data, create)
		if !errors.Is(err, device.ErrInUse) {
			return caller, err
		}
		if ended := wait(ctx); ended != nil {
			return nil, fmt.Errorf("another process uses %s, and it does not answer as a broker does: %w", data, err)
		}
	}
}

func try(ctx context.Context, data string, create bool) (Caller, error) {
	remote, err := dialSocket(ctx, data)
	if err == nil {
		return remote, nil
	}
	if !errors.Is(err, errNobody) {
		return nil, err
	}
	if !create {
		if err := exists(data); err != nil {
			return nil, err
		}
	}
	registry, err := device.Open(Registry(data), device.Options{})
	if err != nil {
		return nil, Explain(err)
	}
	return &local{Backend{Registry: registry}, data}, nil
}

// Explain adds to the error with which a log of a data directory is not opened who tells more, if it is damaged.
func Explain(err error) error {
	if _, ok := errors.AsType[*wal.Corrupt](err); ok {
		return fmt.Errorf("%w; nothing was changed: 'sampan store verify' tells more", err)
	}
	return err
}

// exists says what is missing if there is no registry in a data directory.
func exists(data string) error {
	_, err := os.Stat(Registry(data))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(data); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no data directory at %s: name the broker's with --data or $SAMPAN_DATA; 'sampan serve' and 'sampan product create' make one", data)
	}
	return fmt.Errorf("there are no products and devices in %s: name the broker's data directory with --data or $SAMPAN_DATA; 'sampan product create' makes a product there", data)
}

// local carries operations out in this process.
type local struct {
	backend Backend
	data    string
}

func (l *local) call(ctx context.Context, name string, params []byte) ([]byte, error) {
	result, err := handlers[name](ctx, &l.backend, params)
	if errors.Is(err, ErrNotRunning) {
		err = fmt.Errorf("%w, %s: start one, or name another directory with --data", err, l.data)
	}
	return result, err
}

func (l *local) Close() error { return l.backend.Registry.Close() }
