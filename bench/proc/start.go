package proc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// readyTime is how long a started program has to accept connections.
	readyTime = 30 * time.Second
	// endTime is how long it has to end when it is asked to, before it is
	// killed.
	endTime = 5 * time.Second
	// lastWords is how much of a program's output is kept for the error, in
	// bytes.
	lastWords = 2 << 10
)

// Server is a program that this process has started.
type Server struct {
	Addr  string // where it listens
	Group *Group

	command *exec.Cmd
	ended   chan struct{} // closed when the program has ended
	output  tail
}

// Start runs a command that listens on a TCP address. "{addr}", "{host}" and
// "{port}" in its words are replaced by a free loopback address. If cpus are
// given, it runs only on those, from its first instruction on. Start returns
// when the address accepts connections.
func Start(ctx context.Context, words []string, cpus []int) (*Server, error) {
	if len(words) == 0 {
		return nil, errors.New("proc: an empty command")
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	host, port, _ := net.SplitHostPort(addr)
	replace := strings.NewReplacer("{addr}", addr, "{host}", host, "{port}", port)
	args := make([]string, len(words))
	for i, w := range words {
		args[i] = replace.Replace(w)
	}
	s := &Server{Addr: addr, command: exec.Command(args[0], args[1:]...), ended: make(chan struct{})}
	s.command.Stdout, s.command.Stderr = &s.output, &s.output
	ownGroup(s.command)
	if err := startOn(s.command, cpus); err != nil {
		return nil, fmt.Errorf("proc: start %s: %w", args[0], err)
	}
	s.Group = NewGroup(s.command.Process.Pid)
	// It ends with the program.
	go func() {
		s.command.Wait()
		close(s.ended)
	}()
	if err := s.ready(ctx); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// freeAddr finds a loopback address that nobody listens on.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// ready waits until the server accepts.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		if c, err := net.Dial("tcp", s.Addr); err == nil {
			c.Close()
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("proc: %s ended before it listened on %s: %v\n%s",
				s.command.Path, s.Addr, s.command.ProcessState, s.output.String())
		case <-ctx.Done():
			return fmt.Errorf("proc: %s does not listen on %s: %w\n%s",
				s.command.Path, s.Addr, ctx.Err(), s.output.String())
		case <-ticker.C:
		}
	}
}

// Ended is closed when the program has ended.
func (s *Server) Ended() <-chan struct{} { return s.ended }

// Output is the end of what the program has printed.
func (s *Server) Output() string { return s.output.String() }

// Stop asks the program and what it has started to end, kills them if they do
// not, and returns when the program has ended.
func (s *Server) Stop() {
	select {
	case <-s.ended:
		return // its process id may be somebody else's by now
	default:
	}
	signalGroup(s.command, syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(endTime):
		signalGroup(s.command, os.Kill)
		<-s.ended
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte // guarded by mu
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - lastWords; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
