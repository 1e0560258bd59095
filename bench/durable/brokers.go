package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"sampan/bench/proc"
)

// contender is a broker that can be started on an empty directory.
type contender struct {
	name    string
	command func(dir string) ([]string, error) // {addr} and {port} are replaced
}

// brokers are those that this machine has.
func brokers(sampan string) []contender {
	level := func(level string) contender {
		return contender{"sampan " + level, func(dir string) ([]string, error) {
			return []string{sampan, "serve", "--profile", "open", "--api", "off", "--log-level", "warn",
				"--durability", level, "--data", dir, "--listen", "mqtt://{addr}"}, nil
		}}
	}
	all := []contender{level("memory"), level("os"), level("disk")}
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

func mosquittoCommand(mosquitto, dir string) ([]string, error) {
	conf := filepath.Join(dir, "mosquitto.conf")
	err := os.WriteFile(conf, fmt.Appendf(nil,
		"persistence true\npersistence_location %s/\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\nuser root\n", dir), 0o600)
	return []string{mosquitto, "-c", conf, "-p", "{port}"}, err
}

// turn starts the broker, measures it, and clears it away.
func (s contender) turn(ctx context.Context, in string, publishers int, measure time.Duration) (t turn, err error) {
	dir, err := os.MkdirTemp(in, "durable-*.tmp")
	if err != nil {
		return t, err
	}
	defer os.RemoveAll(dir)
	if dir, err = filepath.Abs(dir); err != nil {
		return t, err
	}
	words, err := s.command(dir)
	if err != nil {
		return t, err
	}
	running, err := proc.Start(ctx, words, nil)
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
