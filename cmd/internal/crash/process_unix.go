//go:build unix

package crash

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps a signal from the keyboard from the child, which would be taken for a broker that ends by
// itself.
func ownGroup(child *exec.Cmd) { child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
