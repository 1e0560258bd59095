// Package raw has the system calls of an event loop on non-blocking sockets,
// made without telling the Go runtime: it would take each for one that may
// block, and wake its monitor and other threads, at a cost above that of the
// call. They take microseconds. Linux only.
package raw

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Read reads into p, which is not empty. The error is 0 if n > 0, or at the
// end of the stream.
func Read(fd int, p []byte) (n int, err unix.Errno) { return transfer(unix.SYS_READ, fd, p) }

// Write writes from p, which is not empty. The error is 0 if n > 0.
func Write(fd int, p []byte) (n int, err unix.Errno) { return transfer(unix.SYS_WRITE, fd, p) }

func transfer(call uintptr, fd int, p []byte) (n int, err unix.Errno) {
	r, _, err := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	if err != 0 {
		return 0, err
	}
	return int(r), 0
}
