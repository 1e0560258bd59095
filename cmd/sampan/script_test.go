package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
)

// commands are what scripts can say beside testscript's own words.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"serve":    serveInBackground,
	"signal":   signalBroker,
	"stopped":  brokerStopped,
	"logged":   brokerLogged,
	"httpget":  httpGet,
	"sendhex":  sendHex,
	"hexfile":  hexFile,
	"waitfile": waitFile,
}

// patience is how long a script waits for anything.
const patience = 20 * time.Second

type processesKey struct{}

// processes are the brokers of one script.
type processes struct{ byName map[string]*process }

type process struct {
	command *exec.Cmd
	log     *lockedBuffer
	ended   chan error
}

func (p *processes) killAll() {
	for _, process := range p.byName {
		process.command.Process.Kill()
		<-process.ended
	}
}

// serveInBackground: serve NAME [flags] starts `sampan serve`, waits for its ready line, and puts the
// addresses in it into variables: NAME_mqtt, NAME_ws, NAME_metrics and so on; a second address of a scheme
// gets NAME_mqtt2. The line itself is in NAME_ready.
func serveInBackground(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: serve NAME [flags]")
	}
	name := args[0]
	sampan, err := exec.LookPath("sampan") // testscript puts it into the PATH of scripts and of this process
	ts.Check(err)
	p := &process{command: exec.Command(sampan, append([]string{"serve"}, args[1:]...)...), log: &lockedBuffer{}, ended: make(chan error, 1)}
	out := &lockedBuffer{line: make(chan string, 1)}
	p.command.Dir = ts.MkAbs(".")
	p.command.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"))
	serveCommand().Flags().VisitAll(func(f *pflag.Flag) {
		if value := ts.Getenv(cli.Variable(f.Name)); value != "" {
			p.command.Env = append(p.command.Env, cli.Variable(f.Name)+"="+value)
		}
	})
	p.command.Stdout, p.command.Stderr = out, p.log
	ts.Check(p.command.Start())
	go func() { p.ended <- p.command.Wait() }() // ends with the process, which killAll sees to
	running := ts.Value(processesKey{}).(*processes)
	if running.byName == nil {
		running.byName = map[string]*process{}
	}
	select {
	case ready := <-out.line:
		running.byName[name] = p
		setAddresses(ts, name, ready)
	case err := <-p.ended:
		ts.Fatalf("serve %s ended before it was ready: %v\n%s", name, err, p.log)
	case <-time.After(patience):
		p.command.Process.Kill()
		ts.Fatalf("serve %s was not ready in time\n%s", name, p.log)
	}
}

func setAddresses(ts *testscript.TestScript, name, ready string) {
	words := strings.Fields(ready)
	if len(words) < 2 || words[0] != "ready" {
		ts.Fatalf("serve %s printed %q", name, ready)
	}
	ts.Setenv(name+"_ready", ready)
	seen := map[string]int{}
	for _, word := range words[1:] {
		kind, value, named := strings.Cut(word, "=")
		if !named || strings.Contains(kind, "://") {
			kind, _, _ = strings.Cut(word, "://")
			value = word
		}
		variable := name + "_" + kind
		if seen[kind]++; seen[kind] > 1 {
			variable += fmt.Sprint(seen[kind])
		}
		ts.Setenv(variable, value)
	}
}

func named(ts *testscript.TestScript, name string) *process {
	p := ts.Value(processesKey{}).(*processes).byName[name]
	if p == nil {
		ts.Fatalf("no broker is named %s", name)
	}
	return p
}

// signalBroker: signal NAME TERM|HUP|KILL|INT
func signalBroker(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL, "INT": syscall.SIGINT}
	if neg || len(args) != 2 || signals[args[1]] == 0 {
		ts.Fatalf("usage: signal NAME TERM|HUP|KILL|INT")
	}
	ts.Check(named(ts, args[0]).command.Process.Signal(signals[args[1]]))
}

// brokerStopped: stopped NAME waits until the broker has ended with status 0; ! stopped NAME with another.
func brokerStopped(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: [!] stopped NAME")
	}
	p := named(ts, args[0])
	select {
	case err := <-p.ended:
		p.ended <- err
		if (err != nil) != neg {
			ts.Fatalf("%s ended with %v\n%s", args[0], err, p.log)
		}
		ts.Logf("[log of %s]\n%s", args[0], p.log)
	case <-time.After(patience):
		ts.Fatalf("%s did not end\n%s", args[0], p.log)
	}
}

// brokerLogged: logged NAME TEXT waits until the text is in the broker's log; ! logged NAME TEXT fails if it
// is there now.
func brokerLogged(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] logged NAME TEXT")
	}
	p := named(ts, args[0])
	if neg {
		if strings.Contains(p.log.String(), args[1]) {
			ts.Fatalf("the log of %s has %q\n%s", args[0], args[1], p.log)
		}
		return
	}
	if !eventually(func() bool { return strings.Contains(p.log.String(), args[1]) }) {
		ts.Fatalf("the log of %s has no %q\n%s", args[0], args[1], p.log)
	}
}

// httpGet: httpget URL TEXT fetches the page and wants the text in it.
func httpGet(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] httpget URL TEXT")
	}
	response, err := (&http.Client{Timeout: patience}).Get(args[0])
	ts.Check(err)
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	ts.Check(err)
	if bytes.Contains(page, []byte(args[1])) == neg {
		ts.Fatalf("%s: status %s, %q in it: %v\n%s", args[0], response.Status, args[1], !neg, page)
	}
}

// waitFile: waitfile FILE TEXT waits until the text is in the file.
func waitFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitfile FILE TEXT")
	}
	var content []byte
	if !eventually(func() bool {
		var err error
		content, err = os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && bytes.Contains(content, []byte(args[1]))
	}) {
		ts.Fatalf("%s has no %q\n%s", args[0], args[1], content)
	}
}

// eventually asks until the answer is yes. It looks at another process, whose clock nobody can move.
func eventually(done func() bool) bool {
	for deadline := time.Now().Add(patience); !done(); {
		if time.Now().After(deadline) {
			return false
		}
		<-time.After(5 * time.Millisecond)
	}
	return true
}

// lockedBuffer collects what a process prints.
type lockedBuffer struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	line chan string // gets the first line, if there is such a channel; never changed
	told bool        // the first line was sent
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf.Write(p)
	if b.line != nil && !b.told {
		var line string
		if line, _, b.told = strings.Cut(b.buf.String(), "\n"); b.told {
			b.line <- line
		}
	}
	return len(p), nil
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// shellWords splits a line as a shell does, as far as the examples need it: blanks, single and double
// quotes, and no further than a redirection.
func shellWords(line string) ([]string, error) {
	var words []string
	var word []byte
	inWord, quote := false, byte(0)
	for i := range len(line) {
		switch c := line[i]; {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word = append(word, c)
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case strings.IndexByte("<>|", c) >= 0 && !inWord:
			return words, nil
		case c == ' ':
			if inWord {
				words = append(words, string(word))
			}
			word, inWord = nil, false
		default:
			word, inWord = append(word, c), true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	if inWord {
		words = append(words, string(word))
	}
	return words, nil
}
