package crash

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Bounds on what the child may take.
const (
	stopTime  = 15 * time.Second // to end when it is asked to
	lastWords = 4 << 10          // of its log, in bytes
)

// process is a broker in a child process.
type process struct {
	command []string // program (argv[0]) and arguments
	program string   // file to run
	env     []string

	mu      sync.Mutex // guards what follows
	child   *exec.Cmd
	addr    string
	starts  int
	killed  bool
	exited  chan struct{} // of the child that runs, or ran last
	failure chan error
	log     *tail
}

// newProcess makes a child of this program's `serve`.
func newProcess(data, durability string) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{program: program, failure: make(chan error, 1)}
	p.command = []string{os.Args[0], "serve", "--profile", "open", "--durability", durability, "--data", data,
		"--listen", "mqtt://127.0.0.1:0", "--api", "off", "--log-level", "warn",
		"--queue-messages", fmt.Sprint(queueMessages), "--queue-bytes", fmt.Sprint(queueBytes)}
	// The environment must not change the child's settings.
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SAMPAN_") {
			p.env = append(p.env, v)
		}
	}
	return p, nil
}

func (p *process) start(ctx context.Context) error {
	child := exec.Command(p.program)
	child.Args, child.Env = p.command, p.env
	ownGroup(child)
	log := new(tail)
	child.Stderr = log
	out, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	p.mu.Lock()
	p.child, p.exited, p.killed, p.log, p.addr = child, exited, false, log, ""
	p.starts++
	p.mu.Unlock()
	ready := make(chan string, 1)
	go p.wait(child, out, ready, exited) // ends with the child
	select {
	case line := <-ready:
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "ready" || !strings.HasPrefix(words[1], "mqtt://") {
			return errors.Join(fmt.Errorf("the broker printed %q instead of its ready line", line), p.kill())
		}
		p.mu.Lock()
		p.addr = strings.TrimPrefix(words[1], "mqtt://")
		p.mu.Unlock()
		return nil
	case <-exited:
		return fmt.Errorf("the broker ended before it was ready: %v\n%s", child.ProcessState, log)
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("the broker was not ready in time: %w\n%s", context.Cause(ctx), log), p.kill())
	}
}

// wait reads what the child prints, and notes its end.
func (p *process) wait(child *exec.Cmd, out io.Reader, ready chan<- string, exited chan<- struct{}) {
	line, _ := bufio.NewReader(io.LimitReader(out, lastWords)).ReadString('\n')
	if line != "" {
		ready <- line
	}
	io.Copy(io.Discard, out)
	err := child.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.addr = ""
	if !p.killed {
		select {
		case p.failure <- fmt.Errorf("the broker ended by itself: %v\n%s", err, p.log):
		default:
		}
	}
	close(exited)
}

func (p *process) kill() error {
	return p.end(syscall.SIGKILL)
}

// end sends a signal and waits for the child's end, which SIGKILL brings about if nothing else does.
func (p *process) end(signal os.Signal) error {
	p.mu.Lock()
	child, exited := p.child, p.exited
	p.killed, p.addr = true, ""
	p.mu.Unlock()
	if child == nil {
		return nil
	}
	select {
	case <-exited:
		return nil
	default:
	}
	if err := child.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-exited:
		if signal == syscall.SIGTERM && !child.ProcessState.Success() {
			return fmt.Errorf("the broker was asked to end: %v\n%s", child.ProcessState, p.log)
		}
		return nil
	case <-time.After(stopTime):
	}
	if err := child.Process.Kill(); err != nil {
		return err
	}
	<-exited
	return fmt.Errorf("the broker did not end within %v of %v", stopTime, signal)
}

func (p *process) dial(ctx context.Context) (net.Conn, int, error) {
	p.mu.Lock()
	addr, n := p.addr, p.starts
	p.mu.Unlock()
	if addr == "" {
		return nil, 0, errDown
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	return c, n, err
}

func (p *process) ended() <-chan error { return p.failure }

func (p *process) close() error { return p.end(syscall.SIGTERM) }

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte // guarded by mu
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - lastWords; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
