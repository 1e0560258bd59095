package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// block is a fenced block of the README.
type block struct {
	language string
	line     int
	text     string
}

func blocks(readme string) (found []block) {
	var b *block
	for i, line := range strings.Split(readme, "\n") {
		switch language, fence := strings.CutPrefix(line, "```"); {
		case fence && b == nil:
			b = &block{language: language, line: i + 1}
		case fence:
			found = append(found, *b)
			b = nil
		case b != nil:
			b.text += line + "\n"
		}
	}
	return found
}

// tour is a reader who does what the README says, in a folder of their own. Only the ports are others.
type tour struct {
	t       *testing.T
	root    string // of the repository
	folder  string // where the reader works
	env     []string
	replace *strings.Replacer
	running []*exec.Cmd
	printed string // by the last block
}

// Everything that the README shows is run, in its order, and prints what the README says that it prints.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary; it has no race detector")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	mqtt, api := freePort(t), freePort(t)
	r := &tour{
		t: t, root: root, folder: t.TempDir(),
		// A reader has the workspace, which the tests of a module are run without.
		env:     append(os.Environ(), "GOWORK=", "SAMPAN_API="+api, "SAMPAN_URL=mqtt://"+mqtt),
		replace: strings.NewReplacer("127.0.0.1:1883", mqtt, "127.0.0.1:8080", api),
	}
	defer r.end()
	all := blocks(string(readme))
	if len(all) < 10 {
		t.Fatalf("the README has only %d blocks", len(all))
	}
	for _, b := range all {
		text := r.replace.Replace(b.text)
		switch b.language {
		case "sh":
			r.printed = ""
			for line := range strings.Lines(text) {
				r.do(b.line, strings.TrimSpace(line))
			}
		case "text":
			r.check(b.line, text)
		case "yaml":
			r.save(text)
		case "go":
			r.program(b.line, text)
		default:
			t.Errorf("README.md:%d: nobody runs a block of %q", b.line, b.language)
		}
	}
}

// freePort is an address that nobody listens on just now.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// do carries out one line of a shell.
func (r *tour) do(line int, command string) {
	r.t.Helper()
	switch {
	case command == "":
	case command == "make test": // it runs this test
		r.shell(line, r.root, "make -n test")
	case command == `export PATH="$PWD/bin:$PATH"`:
		r.env = append(r.env, "PATH="+filepath.Join(r.root, "bin")+":"+os.Getenv("PATH"))
	case strings.HasPrefix(command, "make ") || strings.HasPrefix(command, "go run "):
		r.shell(line, r.root, command)
	case strings.HasPrefix(command, "sampan serve"):
		r.background(line, command, func(out *lockedBuffer) bool { return strings.HasPrefix(out.String(), "ready ") })
	case strings.HasPrefix(command, "sampan sub") && !strings.Contains(command, "||"):
		r.background(line, command, func(*lockedBuffer) bool { return r.subscribed(command) })
	default:
		r.shell(line, r.folder, command)
	}
}

func (r *tour) shell(line int, folder, command string) {
	r.t.Helper()
	bash := exec.Command("bash", "-c", command)
	bash.Dir, bash.Env = folder, r.env
	out, err := bash.CombinedOutput()
	r.printed += string(out)
	if err != nil {
		r.t.Fatalf("README.md:%d: %s: %v\n%s", line, command, err, out)
	}
}

// background runs what a reader runs in a terminal of its own, and waits until it is ready.
func (r *tour) background(line int, command string, ready func(out *lockedBuffer) bool) {
	r.t.Helper()
	// exec, so that a signal reaches the command and not the shell.
	bash := exec.Command("bash", "-c", "exec "+command)
	bash.Dir, bash.Env = r.folder, r.env
	var out, log lockedBuffer
	bash.Stdout, bash.Stderr = &out, &log
	if err := bash.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.running = append(r.running, bash)
	if !eventually(func() bool { return ready(&out) }) {
		r.t.Fatalf("README.md:%d: %s is not ready\n%s%s", line, command, &out, &log)
	}
	r.printed += out.String()
}

// subscribed asks the broker whether the device of a `sampan sub` has all its subscriptions.
func (r *tour) subscribed(command string) bool {
	words, err := shellWords(command)
	if err != nil {
		r.t.Fatal(err)
	}
	device, wanted := "", 0
	for i, word := range words {
		switch word {
		case "--device":
			device = words[i+1]
		case "--topic":
			wanted++
		}
	}
	pk, dn, _ := strings.Cut(device, "/")
	show := exec.Command("bash", "-c", "sampan device show --json "+pk+" "+dn)
	show.Dir, show.Env = r.folder, r.env
	out, err := show.Output()
	if err != nil {
		return false
	}
	var shown struct {
		Connection *struct{}
		Session    *struct{ Subscriptions int }
	}
	return json.Unmarshal(out, &shown) == nil && shown.Connection != nil && shown.Session.Subscriptions == wanted
}

// check compares what the last block printed; "..." at the end of a line stands for anything.
func (r *tour) check(line int, want string) {
	r.t.Helper()
	printed := strings.Split(r.printed, "\n")
	for expected := range strings.Lines(want) {
		expected = strings.TrimSuffix(expected, "\n")
		at := slices.IndexFunc(printed, func(got string) bool {
			start, open := strings.CutSuffix(expected, "...")
			return got == expected || open && strings.HasPrefix(got, start)
		})
		if at < 0 {
			r.t.Errorf("README.md:%d: %q is not what is printed:\n%s", line, expected, r.printed)
			return
		}
		printed = printed[at+1:]
	}
}

// save writes a file that is named in its first line, a comment.
func (r *tour) save(text string) {
	first, _, _ := strings.Cut(text, "\n")
	name := strings.TrimPrefix(first, "# ")
	if err := os.WriteFile(filepath.Join(r.folder, name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// program runs a Go program in a module of its own, as somebody who embeds the broker would.
func (r *tour) program(line int, text string) {
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
			r.t.Fatalf("README.md:%d: %s: %v\n%s%s", line, command, err, &out, &log)
		}
		if command == "go run ." && out.String() != "greeting/world hello\n" {
			r.t.Errorf("README.md:%d: the program prints %q", line, &out)
		}
	}
}

// end stops what runs, the last first.
func (r *tour) end() {
	for _, command := range slices.Backward(r.running) {
		command.Process.Signal(syscall.SIGTERM)
		ended := make(chan error, 1)
		go func() { ended <- command.Wait() }()
		select {
		case err := <-ended:
			if strings.Contains(strings.Join(command.Args, " "), "serve") && err != nil {
				r.t.Errorf("the broker ended with %v", err)
			}
		case <-time.After(patience):
			command.Process.Kill()
			r.t.Errorf("%v does not end", command.Args)
		}
	}
}
