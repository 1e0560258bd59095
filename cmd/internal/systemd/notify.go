package systemd

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Notifier tells systemd how the service is. A nil Notifier, and one without a socket, tell nobody.
type Notifier struct {
	conn     *net.UnixConn
	watchdog time.Duration
}

// NewNotifier connects to the socket that NOTIFY_SOCKET names, if it is set, and removes the variable.
func NewNotifier() (*Notifier, error) {
	path := os.Getenv("NOTIFY_SOCKET")
	watchdog := watchdogInterval()
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		os.Unsetenv(name)
	}
	if path == "" {
		return nil, nil
	}
	if path[0] != '/' && path[0] != '@' { // @ is the abstract namespace, for package net too
		return nil, fmt.Errorf("NOTIFY_SOCKET is %q, which is no socket", path)
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	return &Notifier{conn: conn, watchdog: watchdog}, nil
}

// watchdogInterval is the time within which systemd wants a sign of life; 0: it wants none.
func watchdogInterval() time.Duration {
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 || usec > int64(time.Hour/time.Microsecond)*24 {
		return 0
	}
	return time.Duration(usec) * time.Microsecond
}

// sendTimeout bounds a message: systemd that does not take it must not hold up the service.
const sendTimeout = time.Second

func (n *Notifier) send(lines ...string) error {
	if n == nil {
		return nil
	}
	if err := n.conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	_, err := n.conn.Write([]byte(strings.Join(lines, "\n")))
	return err
}

// Ready says that the service is there, after the start and after Reloading. status is shown by systemctl.
func (n *Notifier) Ready(status string) error { return n.send("READY=1", "STATUS="+status) }

// Reloading says that the service reads its configuration again.
func (n *Notifier) Reloading() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return err
	}
	return n.send("RELOADING=1", "MONOTONIC_USEC="+strconv.FormatInt(now.Nano()/int64(time.Microsecond), 10))
}

// Stopping says that the service is on its way to its end.
func (n *Notifier) Stopping() error { return n.send("STOPPING=1") }

// Alive is the sign of life that systemd wants every Watchdog.
func (n *Notifier) Alive() error { return n.send("WATCHDOG=1") }

// Watchdog is how often Alive is to be called, twice as often as systemd wants it; 0: not at all.
func (n *Notifier) Watchdog() time.Duration {
	if n == nil {
		return 0
	}
	return n.watchdog / 2
}

// Close closes the socket.
func (n *Notifier) Close() error {
	if n == nil {
		return nil
	}
	return n.conn.Close()
}
