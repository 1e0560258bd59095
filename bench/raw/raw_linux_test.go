package raw

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pipe makes a non-blocking pair of sockets.
func pipe(t *testing.T) [2]int {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Close(fds[0])
		unix.Close(fds[1])
	})
	return fds
}

func TestTransfer(t *testing.T) {
	fds := pipe(t)
	buf := make([]byte, 10)
	if n, err := Read(fds[0], buf); n != 0 || err != unix.EAGAIN {
		t.Errorf("nothing there: %d, %v", n, err)
	}
	if n, err := Write(fds[1], []byte("hello")); n != 5 || err != 0 {
		t.Errorf("write: %d, %v", n, err)
	}
	if n, err := Read(fds[0], buf); string(buf[:n]) != "hello" || err != 0 {
		t.Errorf("read %q, %v", buf[:n], err)
	}
	unix.Shutdown(fds[1], unix.SHUT_WR)
	if n, err := Read(fds[0], buf); n != 0 || err != 0 {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if n, err := Write(-1, []byte("x")); n != 0 || err != unix.EBADF {
		t.Errorf("no such file: %d, %v", n, err)
	}
}

// TestWait waits for nothing, in both ways of waiting and for both system
// calls, and for something that is there.
func TestWait(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	epoll, err := unix.EpollCreate1(0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(epoll)
	fds := pipe(t)
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fds[0], &unix.EpollEvent{Events: unix.EPOLLIN, Fd: 7}); err != nil {
		t.Fatal(err)
	}
	events := make([]unix.EpollEvent, 4)
	for _, coarse := range []bool{false, true} {
		w := NewWaiter(epoll)
		w.coarse = coarse
		const d = 3 * time.Millisecond
		began := time.Now()
		var slept bool
		for time.Since(began) < d {
			var n int
			if n, slept = w.Wait(events, d-time.Since(began)); n != 0 {
				t.Fatalf("coarse %v: %d events of nothing", coarse, n)
			}
		}
		if !slept && !coarse {
			t.Error("waited without a sleep")
		}
		if n, slept := w.Wait(events, 0); n != 0 || slept {
			t.Errorf("coarse %v: a poll gave %d events, slept %v", coarse, n, slept)
		}
	}
	Write(fds[1], []byte("x"))
	w := NewWaiter(epoll)
	if n, _ := w.Wait(events, time.Hour); n != 1 || events[0].Fd != 7 {
		t.Errorf("%d events, %+v", n, events[0])
	}
}
