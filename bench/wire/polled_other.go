//go:build !linux

package wire

import "errors"

// NewPolled is for Linux. Elsewhere NewStreamed does the same at a higher
// cost.
func NewPolled(Clock, Work) (Lane, error) {
	return nil, errors.New("wire: polled lanes are there on Linux only")
}
