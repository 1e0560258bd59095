// Package systemd is what a service needs of systemd: the sockets it was started with, and a way to say how it
// is. Both are files and variables of the environment, described in sd_listen_fds(3) and sd_notify(3); where
// systemd has not started the process, nothing happens.
package systemd

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// firstDescriptor is the one of the first socket (SD_LISTEN_FDS_START).
const firstDescriptor = 3

// mostSockets bounds LISTEN_FDS: more are a mistake.
const mostSockets = 1024

// Sockets are the listening sockets that the process was started with.
type Sockets struct {
	mu    sync.Mutex // guards files
	files []*os.File // nil once taken
	names []string
}

// Inherited takes over the sockets that LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID tell of, if there are any
// for this process, and removes the variables, so that no child takes them for its own. The error is about
// variables that make no sense.
func Inherited() (*Sockets, error) {
	number, names, pid := os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES"), os.Getenv("LISTEN_PID")
	for _, name := range []string{"LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID"} {
		os.Unsetenv(name)
	}
	s := &Sockets{}
	if number == "" || pid != strconv.Itoa(os.Getpid()) {
		return s, nil
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n > mostSockets {
		return nil, fmt.Errorf("LISTEN_FDS is %q, which is no number of sockets", number)
	}
	if names != "" {
		s.names = strings.Split(names, ":")
	}
	if names != "" && len(s.names) != n {
		return nil, fmt.Errorf("LISTEN_FDNAMES has %d names for %d sockets", len(s.names), n)
	}
	for i := range n {
		if names == "" {
			s.names = append(s.names, "unknown") // as sd_listen_fds_with_names calls it
		}
		fd := firstDescriptor + i
		syscall.CloseOnExec(fd)
		s.files = append(s.files, os.NewFile(uintptr(fd), s.names[i]))
	}
	return s, nil
}

// Listener takes the first socket of a name that is not taken yet. A socket file stays when the listener is
// closed: it is systemd's.
func (s *Sockets) Listener(name string) (net.Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, file := range s.files {
		if file == nil || s.names[i] != name {
			continue
		}
		s.files[i] = nil
		defer file.Close() // the listener has a descriptor of its own
		l, err := net.FileListener(file)
		if err != nil {
			return nil, fmt.Errorf("the socket %s is no stream socket that listens: %w", name, err)
		}
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false)
		}
		return l, nil
	}
	if left := s.left(); len(left) > 0 {
		return nil, fmt.Errorf("no socket is named %s; there are %s", name, strings.Join(left, ", "))
	}
	return nil, fmt.Errorf("no socket is named %s: this process was started without one, see FileDescriptorName= in systemd.socket(5)", name)
}

// left are the names of the sockets that nobody has taken. Called with mu held.
func (s *Sockets) left() (names []string) {
	for i, file := range s.files {
		if file != nil {
			names = append(names, s.names[i])
		}
	}
	return slices.Compact(names)
}

// Close closes the sockets that nobody has taken and names them.
func (s *Sockets) Close() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names = s.left()
	for i, file := range s.files {
		if file != nil {
			file.Close()
			s.files[i] = nil
		}
	}
	return names
}
