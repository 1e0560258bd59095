package netx

import (
	"io"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// readFD reads once without waiting. The descriptor is non-blocking, so the call does not need the
// scheduler's leave.
func readFD(fd uintptr, b []byte) (n int, again bool, err error) {
	for {
		// Of a socket, recv has less to go through than read.
		r, _, e := syscall.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0, 0, 0)
		switch e {
		case 0:
			if r == 0 {
				return 0, false, io.EOF
			}
			return int(r), false, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, true, nil
		default:
			return 0, false, e
		}
	}
}

// smallWrite is the size up to which a send is shorter than telling the scheduler about it is worth.
const smallWrite = 16 << 10

// writeFD writes bufs without waiting and returns how many bytes went out.
func writeFD(fd uintptr, bufs [][]byte) (int, error) {
	total := 0
	for i, b := range bufs {
		if len(b) == 0 {
			continue
		}
		more := 0
		for _, next := range bufs[i+1:] {
			if len(next) > 0 {
				more = unix.MSG_MORE
			}
		}
		for len(b) > 0 {
			n, e := send(fd, b, more)
			switch e {
			case 0:
				total += n
				b = b[n:]
			case syscall.EINTR:
			case syscall.EAGAIN:
				return total, nil
			default:
				return total, e
			}
		}
	}
	return total, nil
}

func send(fd uintptr, b []byte, flags int) (int, syscall.Errno) {
	f := uintptr(unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL | flags)
	var r uintptr
	var e syscall.Errno
	if len(b) <= smallWrite {
		r, _, e = syscall.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), f, 0, 0)
	} else {
		r, _, e = syscall.Syscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), f, 0, 0)
	}
	return int(r), e
}

// closeFD closes a socket. That does not wait for anything, so the scheduler need not hear of it.
func closeFD(fd uintptr) { syscall.RawSyscall(unix.SYS_CLOSE, fd, 0, 0) }

// poll looks for events of an epoll instance without waiting, and returns how many there are.
func poll(epoll int, events []unix.EpollEvent) int {
	n, _, e := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if e != 0 {
		return 0 // EINTR
	}
	return int(n)
}
