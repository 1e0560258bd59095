package server

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"sampan/cmd/internal/logging"
	"sampan/cmd/internal/systemd"
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

// Run serves until it is told to stop. When all listeners accept it prints a line, ready with every address, and the
// table of the listeners; the log goes to p.Err.
func Run(p Process) error {
	settings, err := p.Load()
	if err != nil {
		return err
	}
	log := logging.New(p.Err, settings.Logging)
	notifier, err := systemd.NewNotifier()
	if err != nil {
		return err
	}
	defer notifier.Close()
	profiled, err := profile(settings.CPUProfile)
	if err != nil {
		return err
	}
	defer profiled()
	srv, err := Start(settings, log)
	if err != nil {
		return err
	}
	// In one piece: whoever reads the first line may read no more.
	io.WriteString(p.Out, srv.Ready()+"\n"+srv.Listing())
	v := &supervised{srv: srv, notifier: notifier, log: log}
	v.tell(notifier.Ready(srv.Ready()))
	err = v.wait(p)
	v.tell(notifier.Stopping())
	log.Info("draining", "for", Drain)
	ctx, cancel := context.WithTimeout(context.Background(), Drain)
	defer cancel()
	err = errors.Join(err, srv.Shutdown(ctx))
	if err == nil {
		log.Info("stopped")
	}
	return err
}

// supervised is a running broker with the supervisor that has started it, if there is one.
type supervised struct {
	srv      *Server
	notifier *systemd.Notifier
	log      *logging.Log
}

// tell is for what the supervisor was told: that it could not be is no reason to end.
func (v *supervised) tell(err error) {
	if err != nil {
		v.log.Warn("systemd could not be told", "error", err)
	}
}

// wait reloads until there is a reason to end.
func (v *supervised) wait(p Process) error {
	var signs <-chan time.Time
	if every := v.notifier.Watchdog(); every > 0 {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		signs = ticker.C
	}
	for {
		select {
		case <-p.Stop.Done():
			return nil
		case err := <-v.srv.Failed():
			return err
		case <-signs:
			v.srv.Broker.Stats() // does not return when the broker hangs
			v.tell(v.notifier.Alive())
		case <-p.Reload:
			v.tell(v.notifier.Reloading())
			v.reload(p)
			v.tell(v.notifier.Ready(v.srv.Ready()))
		}
	}
}

func (v *supervised) reload(p Process) {
	next, err := p.Load()
	if err != nil {
		v.log.Error("the settings were not reloaded; the old ones stay", "error", err)
		return
	}
	v.srv.Reload(next)
	v.log.Info("the settings were reloaded")
}
