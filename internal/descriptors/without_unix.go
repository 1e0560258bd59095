//go:build unix

// Package descriptors shows what a program does when it can open nothing more.
package descriptors

import (
	"syscall"
	"testing"
)

// Without calls f while the process has no descriptor to spare; those that are open stay usable. f must not end the
// test.
func Without(t testing.TB, f func()) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	none := before
	none.Cur = 0
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	f()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
}
