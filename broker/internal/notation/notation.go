// Package notation is how the platform writes times and addresses down.
package notation

import (
	"net"
	"time"
)

// beijing is the platform's own zone.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// Local is a time in the platform's own zone, to the second; empty if there is none.
func Local(t time.Time) string { return format(t.In(beijing), "2006-01-02 15:04:05", t) }

// LocalMillis is Local to the millisecond.
func LocalMillis(t time.Time) string { return format(t.In(beijing), "2006-01-02 15:04:05.000", t) }

// UTC is a time in UTC, to the millisecond; empty if there is none.
func UTC(t time.Time) string { return format(t.UTC(), "2006-01-02T15:04:05.000Z", t) }

func format(in time.Time, layout string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return in.Format(layout)
}

// Host is an address without its port.
func Host(addr string) string {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return addr
}
