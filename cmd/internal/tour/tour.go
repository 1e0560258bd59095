package tour

import (
	"encoding/json"
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

// patience is how long a reader waits for anything.
const patience = 60 * time.Second

// Tour is a reader of a page, who works in a folder of their own.
type Tour struct {
	// Folder is where the reader works.
	Folder string

	// Prints is what a program that embeds the broker prints.
	Prints string

	// Commands are lines that the test has an answer to of its own, instead of a shell.
	Commands map[string]func()

	t       *testing.T
	page    Page
	root    string // of the repository
	env     []string
	replace *strings.Replacer
	running []*process
	printed string // by the last block of commands
	saved   map[string]string
}

// New prepares a reader. What they leave running ends with the test.
func New(t *testing.T, page string) *Tour {
	t.Helper()
	mqtt, api := freePort(t), freePort(t)
	_, mqttPort, _ := net.SplitHostPort(mqtt)
	r := &Tour{
		Folder: t.TempDir(), Commands: map[string]func(){},
		t: t, page: Open(t, page), root: root(t), saved: map[string]string{},
		// A reader has the workspace, which the tests of a module are run without.
		env: append(os.Environ(), "GOWORK=", "SAMPAN_API="+api, "SAMPAN_URL=mqtt://"+mqtt),
		// In a program the port is a number of its own.
		replace: strings.NewReplacer("127.0.0.1:1883", mqtt, "127.0.0.1:8080", api, "port = 1883", "port = "+mqttPort),
	}
	t.Cleanup(r.end)
	return r
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

// Follow does everything that the page shows.
func (r *Tour) Follow() {
	r.t.Helper()
	for _, b := range r.page.Blocks {
		text := r.replace.Replace(b.Text)
		switch b.Language {
		case "sh":
			r.printed = ""
			for _, command := range commands(text) {
				r.do(b.Line, command)
			}
		case "text":
			r.check(b.Line, text)
		case "yaml", "js", "c":
			r.save(b.Line, text)
		case "go":
			r.program(b.Line, text)
		default:
			r.t.Errorf("%s:%d: nobody runs a block of %q", r.page.Name, b.Line, b.Language)
		}
	}
}

// commands are the lines of a block; what belongs to a line by <<'END' stays with it.
func commands(text string) (found []string) {
	document := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case document != "":
			found[len(found)-1] += "\n" + line
			if line == document {
				document = ""
			}
		case line != "":
			found = append(found, line)
			_, document, _ = strings.Cut(line, "<<")
			document = strings.Trim(document, "'")
		}
	}
	return found
}

// do carries out one command.
func (r *Tour) do(line int, command string) {
	r.t.Helper()
	answer, ours := r.Commands[command]
	switch {
	case ours:
		answer()
	case command == "make test": // it runs this test
		r.shell(line, r.root, "make -n test")
	case command == `export PATH="$PWD/bin:$PATH"`:
		r.env = append(r.env, "PATH="+filepath.Join(r.root, "bin")+":"+os.Getenv("PATH"))
	case command == "make build" || command == "make demo" || strings.HasPrefix(command, "go run "):
		r.shell(line, r.root, command)
	case strings.HasPrefix(command, "sampan serve"):
		r.background(line, command, func(out *output) bool { return strings.HasPrefix(out.String(), "ready ") })
	case strings.HasPrefix(command, "sampan sub") && !strings.Contains(command, "||"):
		r.background(line, command, func(*output) bool { return r.subscribed(command) })
	default:
		r.shell(line, r.Folder, command)
	}
}

// Shell runs a command in the reader's folder to its end.
func (r *Tour) Shell(command string) { r.t.Helper(); r.shell(0, r.Folder, command) }

func (r *Tour) shell(line int, folder, command string) {
	r.t.Helper()
	bash := exec.Command("bash", "-c", command)
	bash.Dir, bash.Env = folder, r.env
	if strings.Contains(command, "--profile open") {
		bash.Env = append(slices.Clone(r.env), "SAMPAN_API=off") // that has none, and refuses to be told where
	}
	out, err := bash.CombinedOutput()
	r.printed += string(out)
	if err != nil {
		r.t.Fatalf("%s:%d: %s: %v\n%s", r.page.Name, line, command, err, out)
	}
}

// Device runs in the background what is a device, and waits until it is connected with its subscriptions.
func (r *Tour) Device(command, productKey, deviceName string, subscriptions int) {
	r.t.Helper()
	r.background(0, command, func(*output) bool { return r.online(productKey, deviceName, subscriptions) })
}

// subscribed asks the broker whether the device of a `sampan sub` has all its subscriptions.
func (r *Tour) subscribed(command string) bool {
	device, wanted := "", 0
	words := strings.Fields(command)
	for i, word := range words {
		switch word {
		case "--device":
			device = words[i+1]
		case "--topic":
			wanted++
		}
	}
	productKey, deviceName, _ := strings.Cut(device, "/")
	return r.online(productKey, deviceName, wanted)
}

func (r *Tour) online(productKey, deviceName string, subscriptions int) bool {
	show := exec.Command("bash", "-c", "sampan device show --json "+productKey+" "+deviceName)
	show.Dir, show.Env = r.Folder, r.env
	out, err := show.Output()
	if err != nil {
		return false
	}
	var shown struct {
		Connection *struct{}
		Session    *struct{ Subscriptions int }
	}
	return json.Unmarshal(out, &shown) == nil && shown.Connection != nil && shown.Session != nil &&
		shown.Session.Subscriptions >= subscriptions
}

// check compares what the last block printed; "..." at the end of a line stands for anything.
func (r *Tour) check(line int, want string) {
	r.t.Helper()
	printed := strings.Split(r.printed, "\n")
	for expected := range strings.Lines(want) {
		expected = strings.TrimSuffix(expected, "\n")
		at := slices.IndexFunc(printed, func(got string) bool {
			start, open := strings.CutSuffix(expected, "...")
			return got == expected || open && strings.HasPrefix(got, start)
		})
		if at < 0 {
			r.t.Errorf("%s:%d: %q is not what is printed:\n%s", r.page.Name, line, expected, r.printed)
			return
		}
		printed = printed[at+1:]
	}
}

// save writes a file that is named in its first line, a comment.
func (r *Tour) save(line int, text string) {
	r.t.Helper()
	first, _, _ := strings.Cut(text, "\n")
	name := strings.Trim(first, "#/* ")
	if name == "" || strings.Contains(name, " ") {
		r.t.Fatalf("%s:%d: the first line is not the name of the file, as a comment", r.page.Name, line)
	}
	if err := os.WriteFile(filepath.Join(r.Folder, name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.saved[name] = text
}

// Saved is the text of a file that the page names.
func (r *Tour) Saved(name string) string { return r.saved[name] }

// end stops what runs, the last first.
func (r *Tour) end() {
	for _, p := range slices.Backward(r.running) {
		p.command.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
			if p.broker && p.err != nil {
				r.t.Errorf("the broker ended with %v", p.err)
			}
		case <-time.After(patience):
			p.command.Process.Kill()
			r.t.Errorf("%v does not end", p.command.Args)
		}
		if r.t.Failed() {
			r.t.Logf("%v printed:\n%s", p.command.Args, &p.log)
		}
	}
}
