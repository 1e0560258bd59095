// Command handshakes measures how many TLS handshakes a second of one core's time is good for, for Sampan and
// beside it stunnel and nginx as Debian has them, on the same machine with the same certificates and the same
// client. It prints a table in Markdown.
//
//	go run ./bench/handshakes
//
// Each figure is the number of handshakes that were completed, divided by the processor time that the server's
// process took for them, as the kernel counts it. So it does not matter how many cores the machine has, nor what
// the client takes; but other load makes every figure worse, and a virtual machine that is short of time makes
// them all wrong. A connection is closed right after its handshake.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"time"
)

func main() {
	sampan := flag.String("sampan", "", "the `binary` to measure; built from ./cmd otherwise")
	seconds := flag.Float64("seconds", 3, "how long each figure is measured")
	clients := flag.Int("clients", 2*runtime.NumCPU(), "handshakes at the same time")
	only := flag.String("only", "", "measure the kinds of handshake alone whose name contains this `text`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *sampan, time.Duration(*seconds*float64(time.Second)), *clients, *only); err != nil {
		fmt.Fprintln(os.Stderr, "handshakes:", err)
		os.Exit(1)
	}
}

// run measures every kind with every server that is there.
func run(ctx context.Context, sampan string, each time.Duration, clients int, only string) error {
	s, err := newSite(ctx, sampan)
	if err != nil {
		return err
	}
	defer s.close()
	servers := []server{s.sampanServer(), s.stunnelServer(), s.nginxServer()}
	head, rule := "| handshakes per second of a core | policy |", "|---|---|"
	for _, server := range servers {
		head += " " + server.name + " |"
		rule += "---|"
	}
	fmt.Printf("%s\n%s\n", head, rule)
	for _, k := range kinds {
		if !strings.Contains(k.name, only) {
			continue
		}
		row := "| " + k.name + " | " + k.policy + " |"
		for _, server := range servers {
			cell, err := measure(ctx, s, server, k, each, clients)
			if errors.Is(err, errCannot) {
				cell, err = "–", nil
			}
			if err != nil {
				return fmt.Errorf("%s, %s: %w", server.name, k.name, err)
			}
			row += " " + cell + " |"
		}
		fmt.Println(row)
	}
	return nil
}

// errCannot says that a server is not installed, or has no such handshake.
var errCannot = errors.New("cannot do that")

// measure starts a server for one kind of handshake and drives it.
func measure(ctx context.Context, s *site, server server, k kind, each time.Duration, clients int) (string, error) {
	p, err := server.start(ctx, k)
	if err != nil {
		return "", err
	}
	defer p.stop()
	shake := s.client(k, p.addr)
	if err := p.ready(ctx, shake); err != nil {
		return "", err
	}
	before, err := p.cpu()
	if err != nil {
		return "", err
	}
	n, err := drive(ctx, shake, each, clients)
	if err != nil {
		return "", err
	}
	after, err := p.cpu()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%.0f", float64(n)/(after-before).Seconds()), nil
}
