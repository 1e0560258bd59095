package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// healthPath is where a broker says whether it is well.
const healthPath = "/health"

// health says whether the broker is well. It asks for the broker's statistics, which one that hangs does not give.
func (srv *Server) health() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+healthPath, func(w http.ResponseWriter, _ *http.Request) {
		if what, err := srv.failure(); err != nil {
			http.Error(w, what+" has failed, and takes nothing until a new start: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "ok\n") // who is gone does not want to know
	})
	return mux
}

// failure is what has failed for good, and why: nothing that has to be kept there is acknowledged any more.
func (srv *Server) failure() (what string, err error) {
	if err := srv.Broker.Stats().Store.Failure; err != nil {
		return "the session store", err
	}
	if srv.Platform == nil {
		return "", nil
	}
	if err := srv.Registry.Failed(); err != nil {
		return "the registry", err
	}
	return "the ledger of what devices have posted", srv.Platform.Ledger().Failed()
}

// Healthy asks a broker whether it is well, at the address of its setting health, or at a URL.
func Healthy(ctx context.Context, at string) error {
	if !strings.Contains(at, "://") {
		at = "http://" + at + healthPath
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	// The default transport would ask a proxy if the environment names one.
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the broker at %s does not answer in time", at)
	}
	if err != nil {
		return fmt.Errorf("no broker answers: %w", err)
	}
	defer response.Body.Close()
	said, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("the broker's answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the broker at %s is not well: %s: %s", at, response.Status, strings.TrimSpace(string(said)))
	}
	return nil
}
