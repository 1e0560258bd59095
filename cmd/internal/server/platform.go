package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"

	"sampan/broker"
	"sampan/broker/device"
	"sampan/broker/ledger"
	"sampan/broker/openapi"
	"sampan/broker/platform"
	"sampan/cmd/internal/control"
	"sampan/session/wal"
	"sampan/session/wal/vfs"
)

// endpoint is the platform around a broker: its devices, the server-side API and the control socket. In the
// open profile there is none.
type endpoint struct {
	registry *device.Registry
	ledger   *ledger.Ledger
	platform *platform.Platform
	api      *httpServer
	streams  *openapi.Streams
	control  *control.Server
}

// openData makes the data directory, if it is not there, so that it survives a power cut like what will be in
// it. It holds secrets, so it is its owner's alone.
func openData(dir string) error {
	if _, err := vfs.Dir(dir); err != nil {
		return fmt.Errorf("the data directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("the data directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("the data directory: %w", &fs.PathError{Op: "open", Path: dir, Err: errors.New("not a directory")})
	}
	return nil
}

// Ledger is the folder of what is known of devices beside the registry.
func Ledger(data string) string { return filepath.Join(data, "ledger") }

// open opens the registry and the ledger. Changes of it are as durable as messages are, and no less than the process:
// who makes a device without a disk has lost it with the power, not with the broker.
func (e *endpoint) open(s *Settings, observer broker.Observer, log *slog.Logger) (err error) {
	if err = openData(s.Data); err != nil {
		return err
	}
	q := s.quotas()
	level := s.level()
	if level == 0 {
		level = wal.OS
	}
	e.registry, err = device.Open(control.Registry(s.Data), device.Options{
		Level: level, MaxProducts: q.Products, MaxDevicesPerProduct: q.DevicesPerProduct,
		MaxCategoriesPerProduct: q.CategoriesPerProduct, MaxTokensPerDevice: q.TokensPerDevice,
	})
	if errors.Is(err, device.ErrInUse) {
		return fmt.Errorf("another broker runs on %s, or a command works on it: %w", s.Data, err)
	}
	if err != nil {
		return fmt.Errorf("the registry in %s: %w", s.Data, control.Explain(err))
	}
	if e.ledger, err = ledger.Open(Ledger(s.Data), ledger.Options{Level: level}); err != nil {
		return fmt.Errorf("what devices have posted in %s: %w", s.Data, control.Explain(err))
	}
	e.platform = platform.New(platform.Options{
		Registry: e.registry, Ledger: e.ledger, Quantities: q, Observer: observer, Logger: log,
		MatchChannel: s.Policy.MatchChannel, PlainRegistration: s.Policy.PlainRegistration,
	})
	return nil
}

// listen opens the API and the control socket for the broker. mqtt is where devices are told to connect that
// ask over HTTP.
func (e *endpoint) listen(s *Settings, b *broker.Broker, mqtt platform.Endpoint, log *slog.Logger) (err error) {
	backend := &control.Backend{Registry: e.registry, Live: &control.Live{Broker: b, Platform: e.platform}}
	if e.control, err = control.Serve(s.Data, backend, log); err != nil {
		return err
	}
	e.api, err = serveHTTP("API", s.API, e.handler(s, b, mqtt, log), log)
	return err
}

// handler is what speaks HTTP: the server-side API at /, its streams at /stream, and the authentication of
// devices below /auth/.
func (e *endpoint) handler(s *Settings, b *broker.Broker, mqtt platform.Endpoint, log *slog.Logger) http.Handler {
	actions := &openapi.Backend{
		Registry: e.registry, Broker: b, RRPC: e.platform.RRPC, Broadcast: e.platform.Broadcast, ServiceTopic: e.platform.ServiceTopic,
		Key: e.platform.SessionKey, MayReceive: e.platform.MayReceive,
		Services: e.platform.Services(), Gateways: e.platform.Gateways(), Quantities: s.quotas(),
		IDs: e.platform.IDs(), Downlink: e.platform.Downlink, Meter: e.platform.Meter(),
	}
	api := openapi.NewServer(openapi.Options{
		AccessKey: func(id string) (string, bool) {
			key, err := e.registry.AccessKey(id)
			if err != nil || key.Disabled {
				return "", false
			}
			return key.Secret, true
		},
		Actions: actions.Actions(),
		IDs:     e.platform.IDs(),
		Logger:  log,
	})
	e.streams = api.Streams(b)
	mux := http.NewServeMux()
	mux.Handle("/", api)
	mux.Handle("/stream", e.streams)
	mux.Handle("/auth/", e.platform.AuthHandler(mqtt))
	return mux
}

// stop ends what others ask for; requests that are under way may end until ctx does.
func (e *endpoint) stop(ctx context.Context) {
	if e.streams != nil {
		e.streams.Close()
	}
	e.api.shutdown(ctx)
	e.control.Close()
}

// close ends the platform and closes ledger and registry, after the broker.
func (e *endpoint) close() error {
	if e.platform != nil {
		e.platform.Close()
	}
	var errs []error
	if e.ledger != nil {
		errs = append(errs, e.ledger.Close())
	}
	if e.registry != nil {
		errs = append(errs, e.registry.Close())
	}
	return errors.Join(errs...)
}
