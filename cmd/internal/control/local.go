package control

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"sampan/broker/device"
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

// Open returns the Caller for a data directory: the broker that runs on it, or else the directory itself,
// which is locked until Close. A directory that does not exist is made. While another process has it locked and
// does not answer, such as a broker that is starting, Open waits, for 15 s at the most.
func Open(ctx context.Context, data string) (Caller, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		caller, err := try(ctx, data)
		if !errors.Is(err, device.ErrInUse) {
			return caller, err
		}
		if ended := wait(ctx); ended != nil {
			return nil, fmt.Errorf("another process uses %s, and it does not answer as a broker does: %w", data, err)
		}
	}
}

func try(ctx context.Context, data string) (Caller, error) {
	remote, err := dialSocket(ctx, data)
	if err == nil {
		return remote, nil
	}
	if !errors.Is(err, errNobody) {
		return nil, err
	}
	registry, err := device.Open(Registry(data), device.Options{})
	if err != nil {
		return nil, err
	}
	return &local{Backend{Registry: registry}}, nil
}

// local carries operations out in this process.
type local struct{ backend Backend }

func (l *local) call(ctx context.Context, name string, params []byte) ([]byte, error) {
	return handlers[name](ctx, &l.backend, params)
}

func (l *local) Close() error { return l.backend.Registry.Close() }
