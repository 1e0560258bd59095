// Package interop finds the foreign TLS programs that tests talk to. Only tests
// import it.
package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// requireEnv, set to 1, makes a missing program a failure instead of a skip.
const requireEnv = "SAMPAN_REQUIRE_TOOLS"

// Tool gives the path of a program, or skips the test and says which package
// of Debian has it. With SAMPAN_REQUIRE_TOOLS=1 it fails the test instead.
func Tool(t testing.TB, program, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, program+" is not installed (Debian package "+debianPackage+")")
	}
	return path
}

// File is Tool for a file that must exist, such as a shared library.
func File(t testing.TB, path, debianPackage string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		missing(t, path+" is not there (Debian package "+debianPackage+")")
	}
	return path
}

// Build compiles a C program for a test and gives the path of the result.
// header is a file of the library's development package, by which its presence
// is told.
func Build(t testing.TB, source, header, debianPackage string, libraries ...string) string {
	t.Helper()
	cc := Tool(t, "cc", "gcc")
	File(t, header, debianPackage)
	program := filepath.Join(t.TempDir(), filepath.Base(source)+".bin")
	args := []string{"-Wall", "-Wextra", "-Werror", "-o", program, source}
	for _, l := range libraries {
		args = append(args, "-l"+l)
	}
	if out, err := exec.CommandContext(t.Context(), cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s does not compile: %v\n%s", source, err, out)
	}
	return program
}

func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv(requireEnv) == "1" {
		t.Fatalf("%s, and %s=1 demands it", why, requireEnv)
	}
	t.Skipf("%s; set %s=1 to make this a failure", why, requireEnv)
}
