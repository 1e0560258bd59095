package crash

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"sampan/bench/proc"
)

// Bounds on what the child may take.
const (
	stopTime  = 15 * time.Second // to end when it is asked to
	lineBytes = 4 << 10          // of its first line
)

// process is a broker in a child process.
type process struct {
	command []string // program (argv[0]) and arguments
	program string   // file to run
	env     []string

	alive context.Context // until a child ends by itself
	fail  context.CancelCauseFunc

	mu     sync.Mutex // guards what follows, and what is in a lifetime
	last   *lifetime  // that goes on, or was last
	starts int
}

// lifetime is that of one child.
type lifetime struct {
	child  *proc.Child
	addr   string // where it listens; empty: not yet, or not any more
	killed bool   // it was asked to end
	log    proc.Tail
}

// newProcess makes a child of this program's `serve`.
func newProcess(data, durability string) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{program: program}
	p.alive, p.fail = context.WithCancelCause(context.Background())
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
	command := exec.Command(p.program)
	command.Args, command.Env = p.command, p.env
	l, out := new(lifetime), firstLine{ready: make(chan string, 1)}
	command.Stdout, command.Stderr = &out, &l.log
	child, err := proc.Launch(command, nil)
	if err != nil {
		return err
	}
	p.mu.Lock()
	l.child = child
	p.last = l
	p.starts++
	p.mu.Unlock()
	go p.watch(l) // ends with the child
	addr, err := await(ctx, out.ready, l)
	if err != nil {
		return errors.Join(err, p.kill())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l.addr = addr
	return nil
}

// await waits for the ready line and returns the address in it.
func await(ctx context.Context, ready <-chan string, l *lifetime) (addr string, err error) {
	select {
	case line := <-ready:
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "ready" || !strings.HasPrefix(words[1], "mqtt://") {
			return "", fmt.Errorf("the broker printed %q instead of its ready line", line)
		}
		return strings.TrimPrefix(words[1], "mqtt://"), nil
	case <-l.child.Ended():
		return "", fmt.Errorf("the broker ended before it was ready: %v\n%s", l.child.State(), &l.log)
	case <-ctx.Done():
		return "", fmt.Errorf("the broker was not ready in time: %w\n%s", context.Cause(ctx), &l.log)
	}
}

// watch notes the end of a child.
func (p *process) watch(l *lifetime) {
	<-l.child.Ended()
	p.mu.Lock()
	defer p.mu.Unlock()
	l.addr = ""
	if !l.killed {
		p.fail(fmt.Errorf("the broker ended by itself: %v\n%s", l.child.State(), &l.log))
	}
}

func (p *process) kill() error {
	return p.end(syscall.SIGKILL)
}

// end sends a signal and waits for the child's end, which SIGKILL brings about if nothing else does.
func (p *process) end(signal syscall.Signal) error {
	p.mu.Lock()
	l := p.last
	if l == nil {
		p.mu.Unlock()
		return nil
	}
	asked := !l.killed
	l.killed, l.addr = true, ""
	p.mu.Unlock()
	if !l.child.End(signal, stopTime) {
		return fmt.Errorf("the broker did not end within %v of %v", stopTime, signal)
	}
	if asked && signal == syscall.SIGTERM && !l.child.State().Success() {
		return fmt.Errorf("the broker was asked to end: %v\n%s", l.child.State(), &l.log)
	}
	return nil
}

func (p *process) dial(ctx context.Context) (net.Conn, int, error) {
	p.mu.Lock()
	addr, n := "", p.starts
	if p.last != nil {
		addr = p.last.addr
	}
	p.mu.Unlock()
	if addr == "" {
		return nil, 0, errDown
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	return c, n, err
}

func (p *process) life() context.Context { return p.alive }

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last.log.String()
}

func (p *process) close() error { return p.end(syscall.SIGTERM) }

// firstLine is an io.Writer that hands on the first line and drops the rest.
type firstLine struct {
	ready chan string // gets it; has room for it
	text  []byte
	told  bool
}

func (f *firstLine) Write(p []byte) (int, error) {
	if f.told {
		return len(p), nil
	}
	f.text = append(f.text, p...)
	if line, _, whole := strings.Cut(string(f.text), "\n"); whole || len(f.text) > lineBytes {
		f.ready <- line
		f.told, f.text = true, nil
	}
	return len(p), nil
}
