package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"sampan/broker"
	"sampan/cmd/internal/listen"
	"sampan/cmd/internal/logging"
	"sampan/cmd/internal/metrics"
)

// Server is a running broker with its listeners.
type Server struct {
	Broker *broker.Broker

	settings  *Settings
	log       *logging.Log
	listeners []*listen.Listener
	metrics   *httpServer
	oracle    *oracle
	failed    chan error     // the first listener that failed
	serving   sync.WaitGroup // of the listeners
}

// Start opens everything that the settings ask for. After an error nothing is left open.
func Start(s *Settings, log *logging.Log) (_ *Server, err error) {
	srv := &Server{settings: s, log: log, failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			srv.abandon()
		}
	}()
	if srv.oracle, err = openOracle(s.Oracle); err != nil {
		return nil, err
	}
	options := s.options(log.Logger)
	if srv.oracle != nil {
		options.Observer = srv.oracle
	}
	if srv.Broker, err = broker.New(options); err != nil {
		return nil, err
	}
	// Addresses first, connections after all of them: whoever connects finds the whole broker.
	for _, u := range s.Listen.URLs {
		ln, err := listen.Open(u, listen.Options{Log: log.Logger})
		if err != nil {
			return nil, err
		}
		srv.listeners = append(srv.listeners, ln)
	}
	if srv.metrics, err = serveHTTP("metrics", s.Metrics, metrics.Handler(srv.Broker.Stats, log.Logger), log.Logger); err != nil {
		return nil, err
	}
	for _, ln := range srv.listeners {
		srv.serving.Add(1)
		go srv.serve(ln) // ends when the broker shuts down, or the listener fails
	}
	return srv, nil
}

func (srv *Server) serve(ln *listen.Listener) {
	defer srv.serving.Done()
	if err := srv.Broker.Serve(ln); !errors.Is(err, broker.ErrClosed) {
		srv.fail(fmt.Errorf("%s: %w", ln.URL(), err))
	}
}

func (srv *Server) fail(err error) {
	select {
	case srv.failed <- err:
	default:
	}
}

// Failed gets an error when a listener cannot go on. The server should be shut down then.
func (srv *Server) Failed() <-chan error { return srv.failed }

// Ready is the line that says where everything is.
func (srv *Server) Ready() string {
	line := []string{"ready"}
	for _, ln := range srv.listeners {
		line = append(line, ln.URL().String())
	}
	if srv.metrics != nil {
		line = append(line, "metrics="+srv.metrics.url("/metrics"))
	}
	return strings.Join(line, " ")
}

// Reload takes over what can change while the broker runs, and logs which of the other settings differ.
func (srv *Server) Reload(next *Settings) {
	srv.log.Apply(next.Logging)
	if names := srv.settings.changes(next); len(names) > 0 {
		srv.log.Warn("some settings have changed that need a new start", "settings", strings.Join(names, ", "))
	}
	if srv.oracle != nil {
		if err := srv.oracle.reopen(); err != nil {
			srv.log.Error("the oracle's file was not opened again", "error", err)
		}
	}
}

// Shutdown stops accepting, lets the broker send what waits for clients, and closes everything. It returns
// when ctx ends at the latest; connections are cut then.
func (srv *Server) Shutdown(ctx context.Context) error {
	err := srv.Broker.Shutdown(ctx)
	srv.serving.Wait()
	srv.metrics.shutdown(ctx)
	return errors.Join(err, srv.oracle.close())
}

// abandon closes what a failed start has opened.
func (srv *Server) abandon() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, ln := range srv.listeners {
		ln.Close()
	}
	if srv.Broker != nil {
		srv.Broker.Shutdown(ctx)
	}
	srv.metrics.shutdown(ctx)
	srv.oracle.close()
}
