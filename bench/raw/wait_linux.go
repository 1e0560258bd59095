package raw

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// spin is the time before something due that is not worth a sleep: to
	// sleep and wake takes longer.
	spin = 3 * time.Microsecond
	// held is how long a wait may keep the runtime's processor. Garbage
	// collection and other goroutines wait no longer than that.
	held = time.Millisecond
	// longest bounds a wait; a turn too many costs nothing.
	longest = time.Second
)

// Waiter waits on an epoll instance for nanoseconds, where epoll_wait itself
// counts in milliseconds. It is for one goroutine, locked to its thread.
type Waiter struct {
	epoll  int
	coarse bool // epoll_pwait2 is not there (before Linux 5.11)
	idle   bool // nothing came in the last wait
}

// NewWaiter makes a waiter for an epoll instance. It also makes the sleeps of
// the calling thread exact, to which the system otherwise adds 50 microseconds;
// if it refuses, they are late by that.
func NewWaiter(epoll int) *Waiter {
	unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	return &Waiter{epoll: epoll}
}

// Wait fills in events and returns their number: 0 after d at the latest, or
// sooner for no reason. slept reports whether it slept at all.
//
// The runtime learns of a wait only after one that brought nothing. While it
// knows of a system call, its monitor wakes every 20 microseconds to see
// whether the call takes long, which costs more than serving the connections
// does.
func (w *Waiter) Wait(events []unix.EpollEvent, d time.Duration) (n int, slept bool) {
	d = min(d, longest)
	switch {
	case d <= spin:
		return w.wait(unix.RawSyscall6, events, 0), false
	case w.idle:
		n = w.wait(unix.Syscall6, events, d)
	default:
		n = w.wait(unix.RawSyscall6, events, min(d, held))
	}
	w.idle = n == 0
	return n, true
}

type call func(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err unix.Errno)

// wait is epoll_pwait2, or epoll_wait where that is not there.
func (w *Waiter) wait(call call, events []unix.EpollEvent, d time.Duration) int {
	first, size := uintptr(unsafe.Pointer(&events[0])), uintptr(len(events))
	if !w.coarse {
		timeout := unix.NsecToTimespec(int64(d))
		n, _, err := call(unix.SYS_EPOLL_PWAIT2, uintptr(w.epoll), first, size, uintptr(unsafe.Pointer(&timeout)), 0, 0)
		switch err {
		case 0:
			return int(n)
		case unix.ENOSYS, unix.EPERM: // not there, or a filter that does not know it
			w.coarse = true
		default: // interrupted
			return 0
		}
	}
	// Rounded down: the last part of a millisecond goes in short polls.
	n, _, err := call(unix.SYS_EPOLL_PWAIT, uintptr(w.epoll), first, size, uintptr(d/time.Millisecond), 0, 0)
	if err != 0 {
		return 0
	}
	return int(n)
}
