// Package fault names what can go wrong under load, so that each is reported
// as what it is: what a broker does wrong, and what the load's own machine
// cannot do.
package fault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Kind is one way to go wrong. It is an error, so that a result can be asked:
//
//	errors.Is(err, fault.Lost)
type Kind string

const (
	// Unreachable: no connection could be made.
	Unreachable Kind = "unreachable"
	// Exhausted: the load's own machine had no port or descriptor left for a
	// connection, which is not the broker's fault.
	Exhausted Kind = "exhausted"
	// Refused: CONNACK carried a return code other than 0.
	Refused Kind = "refused"
	// Denied: SUBACK refused a filter, or granted less than was asked for.
	Denied Kind = "denied"
	// Closed: the broker closed a connection that was to stay, or kept one
	// that it had to close.
	Closed Kind = "closed"
	// Stalled: the broker owed something and nothing moved for the time
	// allowed.
	Stalled Kind = "stalled"
	// Garbage: bytes that are no MQTT packet.
	Garbage Kind = "garbage"
	// Violation: a packet that may not come here.
	Violation Kind = "violation"
	// Lost: a message did not arrive.
	Lost Kind = "lost"
	// Doubled: a message arrived again and nothing excused it.
	Doubled Kind = "doubled"
	// Reordered: a message arrived after a later one of its stream.
	Reordered Kind = "reordered"
	// Corrupted: a message arrived changed.
	Corrupted Kind = "corrupted"
	// Misrouted: a message reached a client that did not subscribe to it.
	Misrouted Kind = "misrouted"
	// Foreign: a message that this run did not send.
	Foreign Kind = "foreign"
	// Failed: a function that the caller plugged in returned an error.
	Failed Kind = "failed"
)

// Error is the kind's name.
func (k Kind) Error() string { return string(k) }

// Fault is a kind, how often it was seen, and the first case in words.
type Fault struct {
	Kind  Kind   `json:"kind"`
	Count uint64 `json:"count"`
	First string `json:"first"`
}

// Error tells the kind, how often, and the first case.
func (f *Fault) Error() string {
	if f.Count == 1 {
		return fmt.Sprintf("%s: %s", f.Kind, f.First)
	}
	return fmt.Sprintf("%s %d times, first: %s", f.Kind, f.Count, f.First)
}

// Unwrap makes errors.Is find the kind.
func (f *Fault) Unwrap() error { return f.Kind }

// List collects the faults of a run by kind. The zero value is empty; any
// number of goroutines may use it.
type List struct {
	mu     sync.Mutex
	faults []*Fault // guarded by mu; one for each kind, in the order seen
}

// Add counts a case; its words are kept only for the first of a kind.
func (l *List) Add(kind Kind, format string, args ...any) { l.AddN(kind, 1, format, args...) }

// AddN counts n cases.
func (l *List) AddN(kind Kind, n uint64, format string, args ...any) {
	if n == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.faults {
		if f.Kind == kind {
			f.Count += n
			return
		}
	}
	l.faults = append(l.faults, &Fault{kind, n, fmt.Sprintf(format, args...)})
}

// All returns a copy of the faults, in the order in which their kinds were
// seen first.
func (l *List) All() []*Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]*Fault, len(l.faults))
	for i, f := range l.faults {
		c := *f
		all[i] = &c
	}
	return all
}

// Join makes one error of faults: nil if there is none.
func Join(faults []*Fault) error {
	var errs []error
	for _, f := range faults {
		errs = append(errs, f)
	}
	return errors.Join(errs...)
}

// Merge adds the faults of several runs up, by kind.
func Merge(lists ...[]*Fault) []*Fault {
	var sum List
	for _, f := range slices.Concat(lists...) {
		sum.AddN(f.Kind, f.Count, "%s", f.First)
	}
	return sum.All()
}

// Show prints up to 24 bytes as a person compares them, with the length of
// what was left out.
func Show(b []byte) string {
	const most = 24
	if len(b) <= most {
		return fmt.Sprintf("% x", b)
	}
	return strings.TrimSpace(fmt.Sprintf("% x", b[:most])) + fmt.Sprintf(" and %d bytes more", len(b)-most)
}
