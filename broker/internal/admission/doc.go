// Package admission decides which connections may come in before anything is known of them but their
// address: how many and how fast from one address, how fast altogether, and how many may be on their way to
// an accepted CONNECT at one time.
//
// It knows no sockets. It is told what arrives and leaves, and says what to refuse and what to let wait.
package admission

import "time"

// Clock is where time comes from: monotonic nanoseconds, and a function called later on a goroutine of its
// own, which the returned function prevents.
type Clock interface {
	Nanos() int64
	After(d time.Duration, f func()) (stop func())
}
