package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// socketName is the broker's socket in its data directory.
const socketName = "control.sock"

// largest bounds a request and an answer, in bytes.
const largest = 16 << 20

// failure is the body of an answer that is not a result.
type failure struct {
	Error string `json:"error"`
}

// Server answers operations on the socket of a data directory.
type Server struct {
	backend *Backend
	data    string
	server  *http.Server
	done    chan struct{}
}

// Serve opens the socket of a data directory, which exists and is locked by this process, and answers on it
// until Close.
func Serve(data string, b *Backend, log *slog.Logger) (*Server, error) {
	ln, err := listen(data)
	if err != nil {
		return nil, fmt.Errorf("the control socket: %w", err)
	}
	s := &Server{backend: b, data: data, done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/{operation}", s.answer)
	s.server = &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go func() { // ends in Close
		defer close(s.done)
		if err := s.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the control socket has ended", "error", err)
		}
	}()
	return s, nil
}

// listen opens the socket. The registry's lock is ours, so one that is there belongs to nobody any more.
func listen(data string) (ln *net.UnixListener, err error) {
	path := filepath.Join(data, socketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	err = withSocket(data, func(short string) error {
		ln, err = net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false) // it would go by the short path, which may be gone; Close removes the socket
	if err := os.Chmod(path, 0o600); err != nil {
		ln.Close()
		return nil, err
	}
	return ln, nil
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	do, found := handlers[r.PathValue("operation")]
	if !found {
		refuse(w, http.StatusNotFound, fmt.Errorf("this broker does not know %q", r.PathValue("operation")))
		return
	}
	params, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largest))
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	result, err := do(r.Context(), s.backend, params)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	w.Write(result)
}

func refuse(w http.ResponseWriter, status int, err error) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(failure{err.Error()})
}

// Close ends the requests that are under way and removes the socket. It may be called on nil.
func (s *Server) Close() {
	if s == nil {
		return
	}
	s.server.Close()
	<-s.done
	os.Remove(filepath.Join(s.data, socketName)) // one that stays behind is removed by the next broker
}

// longestPath is what the kernel has room for in the address of a Unix socket, in bytes.
const longestPath = 107

// withSocket calls do with a path to a directory's socket that the kernel has room for. On Linux every
// directory has a short one while it is open.
func withSocket(data string, do func(path string) error) error {
	path := filepath.Join(data, socketName)
	if len(path) <= longestPath {
		return do(path)
	}
	dir, err := os.Open(data)
	if err != nil {
		return err
	}
	defer dir.Close()
	return do(fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), socketName))
}

// dialControl connects to the socket of a data directory.
func dialControl(ctx context.Context, data string) (conn net.Conn, err error) {
	err = withSocket(data, func(path string) error {
		var d net.Dialer
		conn, err = d.DialContext(ctx, "unix", path)
		return err
	})
	return conn, err
}

// errNobody says that no broker listens in a data directory.
var errNobody = errors.New("no broker listens")

// remote carries operations out in the broker that runs on a data directory.
type remote struct{ client *http.Client }

func dialSocket(ctx context.Context, data string) (*remote, error) {
	probe, err := dialControl(ctx, data)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return nil, errNobody
	case err != nil:
		return nil, fmt.Errorf("the broker on %s: %w", data, err)
	}
	probe.Close()
	return &remote{&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialControl(ctx, data) },
	}}}, nil
}

func (r *remote) call(ctx context.Context, name string, params []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://sampan/v1/"+name, bytes.NewReader(params))
	if err != nil {
		return nil, err
	}
	response, err := r.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("the broker does not answer: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, largest+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the broker's answer: %w", err)
	case len(body) > largest:
		return nil, errors.New("the broker's answer is too long")
	case response.StatusCode == http.StatusOK:
		return body, nil
	}
	var f failure
	if json.Unmarshal(body, &f) != nil || f.Error == "" {
		return nil, fmt.Errorf("the broker answers %s", response.Status)
	}
	return nil, errors.New(f.Error)
}

func (r *remote) Close() error {
	r.client.CloseIdleConnections()
	return nil
}
