package wire

import (
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFullUnixSocket: a Unix socket whose queue is full, which TCP would wait
// for by itself, is waited for, until the connection is closed.
func TestFullUnixSocket(t *testing.T) {
	lanes(t, func(t *testing.T, start func(Work) Lane) {
		path := filepath.Join(t.TempDir(), "s")
		ln, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(ln)
		if err := unix.Bind(ln, &unix.SockaddrUnix{Name: path}); err != nil {
			t.Fatal(err)
		}
		if err := unix.Listen(ln, 0); err != nil {
			t.Fatal(err)
		}
		l := start(&job{})
		const n = 5
		var all [n]*recorder
		l.Lock()
		for i := range all {
			all[i] = newRecorder()
			l.Dial(Endpoint{Unix: path}, all[i])
		}
		never := newRecorder()
		given := l.Dial(Endpoint{Unix: path}, never)
		l.Unlock()
		l.Lock()
		given.Close()
		l.Unlock()
		for _, r := range all {
			for open := false; !open && !t.Failed(); {
				ready := []unix.PollFd{{Fd: int32(ln), Events: unix.POLLIN}}
				if n, _ := unix.Poll(ready, 1); n > 0 {
					fd, _, err := unix.Accept4(ln, unix.SOCK_CLOEXEC)
					if err != nil {
						t.Fatal(err)
					}
					defer unix.Close(fd)
				}
				select {
				case <-r.opened:
					open = true
				case <-r.done:
					t.Error(r.err)
				default:
				}
			}
		}
	})
}

// TestZone: a link-local address is one of its interface.
func TestZone(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skip(err)
	}
	for _, zone := range []string{"lo", strconv.Itoa(lo.Index)} {
		_, sa := sockaddr(netip.AddrPortFrom(netip.MustParseAddr("fe80::1%"+zone), 1883))
		if got := sa.(*unix.SockaddrInet6).ZoneId; got != uint32(lo.Index) {
			t.Errorf("zone %s is interface %d, want %d", zone, got, lo.Index)
		}
	}
}
