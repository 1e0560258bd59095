package tour

import (
	"os/exec"
	"strings"
	"sync"
	"time"
)

// process is what a reader runs in a terminal of its own.
type process struct {
	command *exec.Cmd
	broker  bool
	ended   chan struct{} // closed when it has ended, with err
	err     error
	out     output
	log     output
}

// output collects what a process prints.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// background starts a command and waits until it is ready.
func (r *Tour) background(line int, command string, ready func(out *output) bool) {
	r.t.Helper()
	// exec, so that a signal reaches the command and not the shell.
	bash := exec.Command("bash", "-c", "exec "+command)
	p := &process{command: bash, broker: strings.HasPrefix(command, "sampan serve"), ended: make(chan struct{})}
	bash.Dir, bash.Env = r.Folder, r.env
	bash.Stdout, bash.Stderr = &p.out, &p.log
	if err := bash.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() {
		p.err = bash.Wait()
		close(p.ended)
	}()
	r.running = append(r.running, p)
	if !p.eventually(func() bool { return ready(&p.out) }) {
		r.t.Fatalf("%s:%d: %s is not ready\n%s%s", r.page.Name, line, command, &p.out, &p.log)
	}
	r.printed += p.out.String()
}

// eventually asks again until it is so, the process has ended, or patience is at an end.
func (p *process) eventually(done func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		if done() {
			return true
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return done()
		case <-late.C:
			return false
		}
	}
}
