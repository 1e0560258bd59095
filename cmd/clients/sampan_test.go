package clients

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long these tests wait for a process of somebody else's.
const patience = 30 * time.Second

// binary is sampan, built once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "sampan-clients")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "sampan")
	build := exec.Command("go", "build", "-o", path, "../sampan")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(status)
}

// built is the folder of the binary, once there is one.
var built string

// sampan runs a command and returns what it prints.
func sampan(t *testing.T, args ...string) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(path, args...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("sampan %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return string(out)
}

// server is a running broker with its devices.
type server struct {
	data string
	host string
	port int // of the listener mqtt://
	log  *lines

	ready []string // every address
}

// productKey is the product of all devices in these tests.
const productKey = "a1B2c3D4e5"

// start runs a broker on a port of its own.
func start(t *testing.T, flags ...string) *server {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{data: t.TempDir(), host: "127.0.0.1", log: newLines()}
	sampan(t, "product", "create", "--data", s.data, "--key", productKey)
	command := exec.Command(path, append([]string{
		"serve", "--data", s.data, "--durability", "memory", "--listen", "mqtt://127.0.0.1:0", "--api", "off", "--log-level", "debug",
	}, flags...)...)
	out := newLines()
	command.Stdout, command.Stderr = out, s.log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Signal(syscall.SIGTERM)
		if err := command.Wait(); err != nil {
			t.Errorf("the broker ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the end of the broker's log:\n%s", s.log.end())
		}
	})
	ready := out.wait(t, "ready ")
	if _, err := fmt.Sscanf(ready, "ready mqtt://127.0.0.1:%d", &s.port); err != nil {
		t.Fatalf("%q: %v", ready, err)
	}
	s.ready = strings.Fields(ready)[1:]
	return s
}

// url is the address of the listener with this scheme, by a name that certificates know.
func (s *server) url(t *testing.T, scheme string) string {
	t.Helper()
	for _, address := range s.ready {
		if rest, found := strings.CutPrefix(address, scheme+"://127.0.0.1"); found {
			return scheme + "://localhost" + rest + "/"
		}
	}
	t.Fatalf("no %s:// in %v", scheme, s.ready)
	return ""
}

// login is a device with the fields of its CONNECT.
type login struct {
	DeviceName   string `json:"-"`
	DeviceSecret string `json:"-"`
	ClientID     string `json:"clientId"`
	Username     string `json:"username"`
	Password     string `json:"password"`
}

// device makes a device. Each test has its own: the platform takes five connects a minute of one.
func (s *server) device(t *testing.T, name string) login {
	t.Helper()
	var made []struct{ DeviceName, DeviceSecret string }
	decode(t, sampan(t, "device", "create", productKey, name, "--data", s.data, "--json"), &made)
	l := login{DeviceName: made[0].DeviceName, DeviceSecret: made[0].DeviceSecret}
	decode(t, sampan(t, "device", "credentials", productKey, name, "--data", s.data, "--json"), &l)
	return l
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

// lines collects the lines that a process prints, and lets a test wait for one.
type lines struct {
	mu    sync.Mutex
	all   []string
	part  []byte
	more  chan struct{} // closed and replaced when a line comes
	taken int           // lines that wait has gone past
}

func newLines() *lines { return &lines{more: make(chan struct{})} }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part = append(l.part, p...)
	for {
		line, rest, whole := bytes.Cut(l.part, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		l.all = append(l.all, string(line))
		l.part = rest
		close(l.more)
		l.more = make(chan struct{})
	}
}

// wait returns the next line that contains the text; the lines before it are passed over.
func (l *lines) wait(t *testing.T, text string) string {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		l.mu.Lock()
		for l.taken < len(l.all) {
			line := l.all[l.taken]
			l.taken++
			if strings.Contains(line, text) {
				l.mu.Unlock()
				return line
			}
		}
		more := l.more
		l.mu.Unlock()
		select {
		case <-more:
		case <-deadline.C:
			t.Fatalf("no line with %q within %v in\n%s", text, patience, l)
		}
	}
}

// end is the last of the lines.
func (l *lines) end() string {
	const most = 40
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all[max(0, len(l.all)-most):], "\n")
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "\n")
}

// process is a client that runs.
type process struct {
	command *exec.Cmd
	out     *lines
	stdin   io.Closer
}

// run starts a client. It is killed at the end of the test, or when it has run for too long.
func run(t *testing.T, command *exec.Cmd) *process {
	t.Helper()
	p := &process{command: command, out: newLines()}
	var err error
	if p.stdin, err = command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	command.Stdout, command.Stderr = p.out, p.out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { command.Process.Kill() })
	t.Cleanup(func() {
		timer.Stop()
		command.Process.Kill()
	})
	return p
}

// end waits until the client has ended by itself with status 0.
func (p *process) end(t *testing.T) {
	t.Helper()
	if err := p.command.Wait(); err != nil {
		t.Fatalf("%s ended with %v\n%s", filepath.Base(p.command.Path), err, p.out)
	}
}
