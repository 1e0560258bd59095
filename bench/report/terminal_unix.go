//go:build linux || darwin || freebsd || netbsd || openbsd

package report

import (
	"cmp"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// terminalWidth returns a function that tells the width of the terminal that
// w is, in characters; 0 if it is none.
func terminalWidth(w io.Writer) func() int {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return func() int { return 0 }
	}
	const usual = 80 // some terminals do not tell
	return func() (width int) {
		conn, err := f.SyscallConn()
		if err != nil {
			return 0
		}
		conn.Control(func(fd uintptr) {
			if size, err := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ); err == nil {
				width = cmp.Or(int(size.Col), usual)
			}
		})
		return width
	}
}
