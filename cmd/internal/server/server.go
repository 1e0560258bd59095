package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"sampan/broker"
	"sampan/broker/device"
	"sampan/broker/platform"
	"sampan/cmd/internal/address"
	"sampan/cmd/internal/listen"
	"sampan/cmd/internal/logging"
	"sampan/cmd/internal/metrics"
	"sampan/cmd/internal/systemd"
)

// Server is a running broker with its listeners.
type Server struct {
	Broker   *broker.Broker
	Platform *platform.Platform // nil in the open profile
	Registry *device.Registry   // nil in the open profile

	endpoint  endpoint
	channels  channels
	settings  *Settings
	log       *logging.Log
	listeners []*listen.Listener
	metrics   *httpServer
	healthy   *httpServer
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
	if err = srv.channels.open(s, log.Logger); err != nil {
		return nil, err
	}
	if err = srv.newBroker(); err != nil {
		return nil, err
	}
	sockets, err := systemd.Inherited()
	if err != nil {
		return nil, err
	}
	// Addresses first, connections after all of them: whoever connects finds the whole broker.
	for _, u := range s.Listen.URLs {
		ln, err := listen.Open(u, srv.channels.options(s, &srv.endpoint, sockets))
		if err != nil {
			return nil, err
		}
		srv.listeners = append(srv.listeners, ln)
	}
	if left := sockets.Close(); len(left) > 0 {
		log.Warn("sockets that no listener has asked for were closed", "sockets", strings.Join(left, ", "))
	}
	if srv.Platform != nil {
		if err = srv.endpoint.listen(s, srv.Broker, srv.mqtt(), log.Logger); err != nil {
			return nil, err
		}
	}
	if srv.metrics, err = serveHTTP("metrics", s.Metrics, srv.measured(), log.Logger); err != nil {
		return nil, err
	}
	if srv.healthy, err = serveHTTP("health", s.Health, srv.health(), log.Logger); err != nil {
		return nil, err
	}
	for _, ln := range srv.listeners {
		srv.describe(ln)
		srv.serving.Add(1)
		go srv.serve(ln) // ends when the broker shuts down, or the listener fails
	}
	return srv, nil
}

// newBroker makes the broker, and the platform around it unless the profile is open.
func (srv *Server) newBroker() (err error) {
	s, log := srv.settings, srv.log.Logger
	options := s.options(log)
	var observer broker.Observer
	if srv.oracle != nil {
		observer = srv.oracle
	}
	if !s.open() {
		// The registry first: its lock is the one that tells of another broker.
		if err = srv.endpoint.open(s, observer, log); err != nil {
			return err
		}
		srv.Platform, srv.Registry = srv.endpoint.platform, srv.endpoint.registry
	}
	if options.Store, err = openStore(s, log); err != nil {
		return err
	}
	if s.open() {
		options.Observer = observer
		srv.Broker, err = broker.New(options)
	} else {
		srv.Broker, err = srv.Platform.Broker(options)
	}
	if err != nil && options.Store != nil {
		err = errors.Join(err, options.Store.Close())
	}
	return err
}

// mqtt is the first listener that is reached by host and port.
func (srv *Server) mqtt() (at platform.Endpoint) {
	for _, ln := range srv.listeners {
		if u := ln.URL(); !u.Scheme.Socket() {
			return platform.Endpoint{Host: u.Host, Port: int(u.Port)}
		}
	}
	return at
}

// measured serves the metrics of everything that runs.
func (srv *Server) measured() http.Handler {
	collectors := []prometheus.Collector{metrics.Broker(srv.Broker.Stats), metrics.Unauthenticated(srv.settings.Bounds.unauthenticated())}
	if srv.Platform != nil {
		collectors = append(collectors, metrics.Calls(srv.Platform.Calls().Stats), metrics.Registry(srv.Registry.Stats),
			metrics.Quotas(srv.settings.quotas(), srv.Platform.Meter().Counts), metrics.Ledger(srv.endpoint.ledger.Stats), metrics.Services(srv.Platform.Services().Stats()))
	}
	if srv.channels.tls != nil {
		collectors = append(collectors, metrics.TLS(srv.channels.tls))
	}
	return metrics.Handler(srv.log.Logger, collectors...)
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
	if srv.endpoint.api != nil {
		line = append(line, "api="+srv.endpoint.api.url(""))
	}
	if srv.metrics != nil {
		line = append(line, "metrics="+srv.metrics.url("/metrics"))
	}
	if srv.healthy != nil {
		line = append(line, "health="+srv.healthy.url(healthPath))
	}
	return strings.Join(line, " ")
}

// Reload takes over what can change while the broker runs, and logs which of the other settings differ.
func (srv *Server) Reload(next *Settings) {
	srv.log.Apply(next.Logging)
	srv.channels.reload(srv.log.Logger)
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
	// Those who ask for something first, then those who are connected, then what they all stand on.
	srv.endpoint.stop(ctx)
	err := srv.Broker.Shutdown(ctx)
	srv.serving.Wait()
	srv.metrics.shutdown(ctx)
	srv.healthy.shutdown(ctx)
	srv.channels.close()
	return errors.Join(err, srv.endpoint.close(), srv.oracle.close())
}

// abandon closes what a failed start has opened.
func (srv *Server) abandon() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, ln := range srv.listeners {
		ln.Close()
	}
	srv.endpoint.stop(ctx)
	if srv.Broker != nil {
		srv.Broker.Shutdown(ctx)
	}
	srv.endpoint.close()
	srv.metrics.shutdown(ctx)
	srv.healthy.shutdown(ctx)
	srv.channels.close()
	srv.oracle.close()
}

// Listeners are the addresses at which clients can connect.
func (srv *Server) Listeners() []address.URL {
	urls := make([]address.URL, len(srv.listeners))
	for i, ln := range srv.listeners {
		urls[i] = ln.URL()
	}
	return urls
}
