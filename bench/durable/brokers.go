package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sampan/bench/proc"
)

// contender is a broker that can be started on an empty directory.
type contender struct {
	name    string
	command func(dir string) ([]string, error) // {addr} and {port} are replaced
}

// sampanAt is our broker at a durability level.
func sampanAt(binary, level string) contender {
	return contender{"sampan " + level, func(dir string) ([]string, error) {
		return []string{binary, "serve", "--profile", "open", "--api", "off", "--log-level", "warn",
			"--durability", level, "--data", dir, "--listen", "mqtt://{addr}"}, nil
	}}
}

// brokers are those that this machine has.
func brokers(sampan string) []contender {
	all := []contender{sampanAt(sampan, "memory"), sampanAt(sampan, "os"), sampanAt(sampan, "disk")}
	for _, path := range []string{"mosquitto", "/usr/sbin/mosquitto"} {
		if mosquitto, err := exec.LookPath(path); err == nil {
			all = append(all, contender{"mosquitto", func(dir string) ([]string, error) { return mosquittoCommand(mosquitto, dir) }})
			break
		}
	}
	nats := func(name, sync string) contender {
		return contender{name, func(dir string) ([]string, error) {
			self, err := os.Executable()
			return []string{self, "nats", "{addr}", dir, sync}, err
		}}
	}
	return append(all, nats("nats", "default"), nats("nats always", "always"))
}

// choose finds the brokers that are named, by commas; "" names all.
func choose(all []contender, names string) (chosen []contender, err error) {
	if names == "" {
		return all, nil
	}
	for name := range strings.SplitSeq(names, ",") {
		at := slices.IndexFunc(all, func(c contender) bool { return c.name == name })
		if at < 0 {
			return nil, fmt.Errorf("-only %s: there is no %q here", names, name)
		}
		chosen = append(chosen, all[at])
	}
	return chosen, nil
}

func mosquittoCommand(mosquitto, dir string) ([]string, error) {
	conf := filepath.Join(dir, "mosquitto.conf")
	err := os.WriteFile(conf, fmt.Appendf(nil,
		"persistence true\npersistence_location %s/\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\nuser root\n", dir), 0o600)
	return []string{mosquitto, "-c", conf, "-p", "{port}"}, err
}

// empty makes a directory and says how to remove it.
func empty(in string) (dir string, clear func(), err error) {
	if dir, err = os.MkdirTemp(in, "durable-*.tmp"); err == nil {
		dir, err = filepath.Abs(dir)
	}
	return dir, func() { os.RemoveAll(dir) }, err
}

func (s contender) start(ctx context.Context, dir string) (*proc.Server, error) {
	words, err := s.command(dir)
	if err != nil {
		return nil, err
	}
	return proc.Start(ctx, words, nil)
}

// turn starts the broker, measures it, and clears it away.
func (s contender) turn(ctx context.Context, in string, publishers int, measure time.Duration) (t turn, err error) {
	dir, clear, err := empty(in)
	if err != nil {
		return t, err
	}
	defer clear()
	running, err := s.start(ctx, dir)
	if err != nil {
		return t, err
	}
	defer running.Stop()
	t, err = load(ctx, running.Addr, publishers, measure)
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, running.Output())
	}
	return t, err
}
