//go:build !linux

package netx

import "errors"

// On other systems the net package reads and writes: correct, with a buffer per waiting connection.
const rawSupported = false

var errNoRaw = errors.New("netx: no direct access to descriptors on this system")

func readFD(uintptr, []byte) (int, bool, error) { return 0, false, errNoRaw }
func writeFD(uintptr, [][]byte) (int, error)    { return 0, errNoRaw }
