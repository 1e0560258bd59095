package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"sampan/cmd/internal/address"
)

// httpServer serves one handler at one address.
type httpServer struct {
	listener net.Listener
	server   *http.Server
	done     chan struct{}
}

// Limits for those who talk HTTP to the broker.
const (
	headerTimeout  = 10 * time.Second
	requestTimeout = 30 * time.Second
	idleTimeout    = 2 * time.Minute
	headerBytes    = 32 << 10
)

// serveHTTP serves a handler; it returns nil for an address that is off.
func serveHTTP(name string, at address.HTTP, handler http.Handler, log *slog.Logger) (*httpServer, error) {
	if at.HostPort() == "" {
		return nil, nil
	}
	ln, err := net.Listen("tcp", at.HostPort())
	if err != nil {
		return nil, fmt.Errorf("cannot serve the %s: %w", name, err)
	}
	h := &httpServer{listener: ln, done: make(chan struct{}), server: &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: requestTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	go func() { // ends in shutdown
		defer close(h.done)
		if err := h.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			log.Error("an HTTP server has ended", "server", name, "error", err)
		}
	}()
	return h, nil
}

// url is the address of a path on the server.
func (h *httpServer) url(path string) string { return "http://" + h.listener.Addr().String() + path }

// shutdown lets requests end until ctx does, then cuts them off. It may be called on nil.
func (h *httpServer) shutdown(ctx context.Context) {
	if h == nil {
		return
	}
	if h.server.Shutdown(ctx) != nil {
		h.server.Close()
	}
	<-h.done
}
