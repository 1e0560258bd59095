//go:build !linux

package proc

import "time"

// PIDs lists the processes that the group was made of.
func (g *Group) PIDs() []int { return g.roots }

// Read returns ErrUnsupported.
func (g *Group) Read() (Usage, error) { return Usage{}, ErrUnsupported }

// CPU returns 0.
func (g *Group) CPU() time.Duration { return 0 }

// Memory returns ErrUnsupported.
func (g *Group) Memory() (uint64, error) { return 0, ErrUnsupported }

// Realtime returns false.
func Realtime() bool { return false }
