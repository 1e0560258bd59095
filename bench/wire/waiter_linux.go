package wire

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// waiter waits on an epoll instance for nanoseconds, where epoll_wait itself
// counts in milliseconds.
type waiter struct {
	epoll int
	exact bool // epoll_pwait2 is there (Linux 5.11)
}

// longest bounds a wait; a turn too many costs nothing.
const longest = int64(time.Second)

// wait returns the number of events, after ns nanoseconds at the latest.
func (w *waiter) wait(events []unix.EpollEvent, ns int64) int {
	ns = min(ns, longest)
	if ns <= spin {
		return w.poll(events, 0)
	}
	if w.exact {
		timeout := unix.NsecToTimespec(ns)
		n, _, err := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(w.epoll),
			uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)),
			uintptr(unsafe.Pointer(&timeout)), 0, 0)
		switch err {
		case 0:
			return int(n)
		case unix.ENOSYS, unix.EPERM: // an older kernel, or a filter that does not know the call
			w.exact = false
		default: // interrupted
			return 0
		}
	}
	// Rounded down: the last part of a millisecond is spent in short polls.
	return w.poll(events, int(ns/int64(time.Millisecond)))
}

// poll is epoll_wait.
func (w *waiter) poll(events []unix.EpollEvent, ms int) int {
	n, err := unix.EpollWait(w.epoll, events, ms)
	if err != nil {
		return 0 // interrupted
	}
	return n
}
