package control

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"sampan/broker/device"
)

// Registry is the folder of the registry in a data directory.
func Registry(data string) string { return filepath.Join(data, "devices") }

// Open returns the Caller for a data directory: the broker that runs on it, or else the directory itself,
// which is locked until Close. A directory that does not exist is made.
func Open(ctx context.Context, data string) (Caller, error) {
	remote, err := dialSocket(ctx, data)
	if err == nil {
		return remote, nil
	}
	if !errors.Is(err, errNobody) {
		return nil, err
	}
	registry, err := device.Open(Registry(data), device.Options{})
	if errors.Is(err, device.ErrInUse) {
		return nil, fmt.Errorf("another process uses %s, and it does not answer as a broker does: %w", data, err)
	}
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
