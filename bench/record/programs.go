package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The programs, as the page calls them.
const (
	sampan        = "Sampan"
	mosquitto     = "mosquitto"
	nats          = "nats-server"
	mochi         = "mochi"
	flashmq       = "FlashMQ"
	sharedEpoll   = "ceiling shared, epoll"
	sharedNetconn = "ceiling shared, net.Conn"
	copiedNetconn = "ceiling copied, net.Conn"
)

// peers are the brokers that Sampan is compared with, in the page's order.
var peers = []string{flashmq, mosquitto, nats, mochi}

// program is a broker or a ceiling program that can be started.
type program struct {
	name    string
	version string
	// command makes the words of the command for a number of processors. {addr}, {host} and {port} are
	// filled in by what starts it.
	command func(cores int) []string
}

// ceiling reports whether the program is no broker.
func (p *program) ceiling() bool { return strings.HasPrefix(p.name, "ceiling ") }

// workshop is where programs are built and keep their files.
type workshop struct {
	root string // of the repository
	dir  string // for binaries, configurations and data; removed at the end
}

// open finds the repository around the working directory.
func open(ctx context.Context) (*workshop, error) {
	root, err := output(ctx, ".", "go", "list", "-m", "-f", "{{.Dir}}", "sampan")
	if err != nil {
		return nil, fmt.Errorf("run it in the repository: %w", err)
	}
	dir, err := os.MkdirTemp("", "sampan-record-*")
	return &workshop{root, dir}, err
}

func (w *workshop) close() { os.RemoveAll(w.dir) }

// built is the path of a binary.
func (w *workshop) built(name string) string { return filepath.Join(w.dir, name) }

// build compiles everything that is compiled here. binary is a Sampan that is there already; empty: none.
func (w *workshop) build(ctx context.Context, binary string) error {
	if binary == "" {
		if err := w.compile(ctx, w.root, "./cmd/sampan"); err != nil {
			return err
		}
	} else if err := w.adopt(binary); err != nil {
		return err
	}
	if err := w.compile(ctx, w.root, "./bench/ceiling/epoll", "./bench/ceiling/netconn"); err != nil {
		return err
	}
	return w.compile(ctx, filepath.Join(w.root, "bench", "peers"), "./brokers/mochi", "./brokers/nats")
}

// adopt takes a binary that is there.
func (w *workshop) adopt(binary string) error {
	path, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return err
	}
	return os.Symlink(path, w.built("sampan"))
}

// compile builds commands of the module in a folder.
func (w *workshop) compile(ctx context.Context, folder string, packages ...string) error {
	c := exec.CommandContext(ctx, "go", append([]string{"build", "-o", w.dir + string(filepath.Separator)}, packages...)...)
	c.Dir = folder
	if folder != w.root {
		c.Env = append(os.Environ(), "GOWORK=off") // a module of its own
	}
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", strings.Join(packages, " "), err, out)
	}
	return nil
}

// output runs a command and returns what it prints.
func output(ctx context.Context, folder string, words ...string) (string, error) {
	c := exec.CommandContext(ctx, words[0], words[1:]...)
	c.Dir = folder
	out, err := c.Output()
	return strings.TrimSpace(string(out)), err
}

// programs lists what can be measured on this machine, Sampan first. The path of FlashMQ is empty if there is none,
// that of a Sampan if it is to be built.
func (w *workshop) programs(ctx context.Context, pathOfFlashMQ, pathOfSampan string) ([]program, error) {
	version := w.commit(ctx)
	if pathOfSampan != "" {
		version = stamp(pathOfSampan)
	}
	all := []program{{
		name: sampan, version: version,
		command: func(int) []string {
			return []string{w.built("sampan"), "serve", "--profile", "open", "--durability", "memory", "--api", "off",
				"--log-level", "warn", "--data", w.built("data"), "--listen", "mqtt://{addr}"}
		},
	}}
	if pathOfFlashMQ != "" {
		p, err := w.flashMQ(ctx, pathOfFlashMQ)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	if path := find("mosquitto"); path != "" {
		p, err := w.mosquitto(ctx, path)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	all = append(all,
		program{nats, w.module(ctx, "github.com/nats-io/nats-server/v2"), func(int) []string { return []string{w.built("nats"), "-listen", "{addr}"} }},
		program{mochi, w.module(ctx, "github.com/mochi-mqtt/server/v2"), func(int) []string { return []string{w.built("mochi"), "-listen", "{addr}"} }},
	)
	ceiling := func(name, binary string, words ...string) program {
		command := append([]string{w.built(binary), "-listen", "{addr}"}, words...)
		return program{name: name, command: func(int) []string { return command }}
	}
	return append(all,
		ceiling(sharedEpoll, "epoll"), ceiling(sharedNetconn, "netconn"), ceiling(copiedNetconn, "netconn", "-copy"),
	), nil
}

// find looks for a program in the PATH and where Debian puts servers.
func find(name string) string {
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	return ""
}

// commit is the repository's, with a mark if something in it has changed since.
func (w *workshop) commit(ctx context.Context) string {
	version, err := output(ctx, w.root, "git", "describe", "--always", "--dirty")
	if err != nil {
		return ""
	}
	return version
}

// stamp is the commit that Go has written into a binary, with a mark like that of commit, or the binary's name.
func stamp(path string) string {
	version, modified := filepath.Base(path), ""
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return version
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			version = s.Value[:min(7, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "-dirty"
		}
	}
	return version + modified
}

// module is the version of a module that bench/peers requires.
func (w *workshop) module(ctx context.Context, path string) string {
	c := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Version}}", path)
	c.Dir, c.Env = filepath.Join(w.root, "bench", "peers"), append(os.Environ(), "GOWORK=off")
	out, _ := c.Output()
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "v")
}

// mosquitto keeps nothing, answers at once, and neither drops nor holds back what a burst of the harness needs.
func (w *workshop) mosquitto(ctx context.Context, path string) (program, error) {
	file := w.built("mosquitto.conf")
	err := os.WriteFile(file, []byte("allow_anonymous true\npersistence false\nlog_dest none\nset_tcp_nodelay true\n"+
		"max_queued_messages 0\nmax_inflight_messages 0\n"), 0o600)
	help, _ := output(ctx, ".", path, "-h") // its exit status is not 0
	version, _, _ := strings.Cut(help, "\n")
	return program{mosquitto, strings.TrimPrefix(version, "mosquitto version "), func(int) []string {
		return []string{path, "-c", file, "-p", "{port}"}
	}}, err
}

// flashMQ has as many threads as processors. Its configuration names the port, so a shell fills it in.
func (w *workshop) flashMQ(ctx context.Context, path string) (program, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return program{}, err
	}
	version, err := output(ctx, ".", path, "--version")
	if err != nil {
		return program{}, fmt.Errorf("%s --version: %w", path, err)
	}
	for word := range strings.FieldsSeq(version) {
		if word[0] >= '0' && word[0] <= '9' { // FlashMQ Version 1.2.3 with ...
			version = word
			break
		}
	}
	const script = `printf 'allow_anonymous true\nlog_level error\nthread_count %s\nmax_qos_msg_pending_per_client 65535\n` +
		`max_qos_bytes_pending_per_client 67108864\nclient_max_write_buffer_size 16777216\nlisten {\n protocol mqtt\n port %s\n` +
		` inet4_bind_address 127.0.0.1\n}\n' "$3" "$2" > "$4" && exec "$1" --config-file "$4"`
	return program{flashmq, version, func(cores int) []string {
		return []string{"/bin/sh", "-c", script, "sh", path, "{port}", fmt.Sprint(cores), w.built("flashmq.conf")}
	}}, nil
}
