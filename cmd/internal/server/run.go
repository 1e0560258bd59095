package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"sampan/cmd/internal/logging"
)

// Drain is how long a shutdown lets clients take what waits for them.
const Drain = 10 * time.Second

// Process is what a running broker is told from outside.
type Process struct {
	Out, Err io.Writer
	// Stop ends when the broker is to end.
	Stop context.Context
	// Reload gets a value when the settings are to be read again.
	Reload <-chan os.Signal
	// Load reads the settings.
	Load func() (*Settings, error)
}

// Run serves until it is told to stop. It prints one line, ready with every address, when all listeners
// accept; the log goes to p.Err.
func Run(p Process) error {
	settings, err := p.Load()
	if err != nil {
		return err
	}
	log := logging.New(p.Err, settings.Logging)
	srv, err := Start(settings, log)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.Out, srv.Ready())
	err = wait(srv, p, log)
	log.Info("draining", "for", Drain)
	ctx, cancel := context.WithTimeout(context.Background(), Drain)
	defer cancel()
	err = errors.Join(err, srv.Shutdown(ctx))
	if err == nil {
		log.Info("stopped")
	}
	return err
}

// wait reloads until there is a reason to end.
func wait(srv *Server, p Process, log *logging.Log) error {
	for {
		select {
		case <-p.Stop.Done():
			return nil
		case err := <-srv.Failed():
			return err
		case <-p.Reload:
			next, err := p.Load()
			if err != nil {
				log.Error("the settings were not reloaded; the old ones stay", "error", err)
				continue
			}
			srv.Reload(next)
			log.Info("the settings were reloaded")
		}
	}
}
