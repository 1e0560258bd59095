package proc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	// readyTime is how long a started program has to accept connections.
	readyTime = 30 * time.Second
	// endTime is how long it has to end when it is asked to, before it is
	// killed.
	endTime = 5 * time.Second
)

// Server is a program that this process has started.
type Server struct {
	Addr  string // where it listens
	Group *Group

	child  *Child
	output Tail
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
	s := &Server{Addr: addr}
	command := exec.Command(args[0], args[1:]...)
	command.Stdout, command.Stderr = &s.output, &s.output
	if s.child, err = Launch(command, cpus); err != nil {
		return nil, err
	}
	s.Group = NewGroup(command.Process.Pid)
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
		case <-s.child.Ended():
			return fmt.Errorf("proc: %s ended before it listened on %s: %v\n%s",
				s.child.Path(), s.Addr, s.child.State(), s.output.String())
		case <-ctx.Done():
			return fmt.Errorf("proc: %s does not listen on %s: %w\n%s",
				s.child.Path(), s.Addr, ctx.Err(), s.output.String())
		case <-ticker.C:
		}
	}
}

// Ended is closed when the program has ended.
func (s *Server) Ended() <-chan struct{} { return s.child.Ended() }

// Output is the end of what the program has printed.
func (s *Server) Output() string { return s.output.String() }

// Kill ends the program and what it has started without warning, and returns
// when it has ended.
func (s *Server) Kill() { s.child.End(syscall.SIGKILL, endTime) }

// Stop asks the program and what it has started to end, kills them if they do
// not, and returns when the program has ended.
func (s *Server) Stop() {
	s.child.End(syscall.SIGTERM, endTime)
}
