package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"

	"sampan/cmd/internal/address"
)

// listenUnix opens a Unix socket. One that a killed broker has left behind is taken over; one at which
// somebody still listens is not, and neither is a file of another kind.
func listenUnix(u address.URL) (net.Listener, error) {
	inner, err := net.Listen("unix", u.Path)
	if errors.Is(err, syscall.EADDRINUSE) {
		if err := removeStale(u.Path); err != nil {
			return nil, err
		}
		inner, err = net.Listen("unix", u.Path)
	}
	return inner, err
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s exists and is no socket", path)
	}
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		return fmt.Errorf("another process listens on %s", path)
	} else if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}
