package tour

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// program runs a Go program in a module of its own, as somebody who embeds the broker would.
func (r *Tour) program(line int, text string) {
	r.t.Helper()
	folder := r.t.TempDir()
	sum, err := os.ReadFile(filepath.Join(r.root, "go.sum"))
	if err != nil {
		r.t.Fatal(err)
	}
	for name, content := range map[string]string{
		"go.mod":  fmt.Sprintf("module readme\n\ngo 1.26.0\n\nrequire sampan v0.0.0\n\nreplace sampan => %s\n", r.root),
		"go.sum":  string(sum),
		"main.go": text,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	for _, command := range []string{"go vet .", "go run ."} {
		run := exec.Command("bash", "-c", command)
		run.Dir, run.Env = folder, append(r.env, "GOWORK=off", "GOFLAGS=-mod=mod")
		var out, log bytes.Buffer
		run.Stdout, run.Stderr = &out, &log
		if err := run.Run(); err != nil {
			r.t.Fatalf("%s:%d: %s: %v\n%s%s", r.page.Name, line, command, err, &out, &log)
		}
		if command == "go run ." && out.String() != r.Prints {
			r.t.Errorf("%s:%d: the program prints %q", r.page.Name, line, &out)
		}
	}
}
