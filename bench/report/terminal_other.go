//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package report

import "io"

// terminalWidth is 0: what w is cannot be told, so lines are plain.
func terminalWidth(io.Writer) func() int { return func() int { return 0 } }
