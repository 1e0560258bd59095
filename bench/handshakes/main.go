// Command handshakes measures how many TLS handshakes a second of one core's time is good for, for Sampan and
// beside it stunnel and nginx as Debian has them, on the same machine with the same certificates and the same
// client. It prints a table in Markdown.
//
//	go run ./bench/handshakes
//
// Each figure is the number of handshakes that were completed, divided by the processor time that the server's
// process took for them, as the kernel counts it. So it does not matter how many cores the machine has, nor what
// the client takes; but other load makes every figure worse, and a virtual machine that is short of time makes
// them all wrong; so the servers take turns, and each figure is the median of its rounds. A connection is closed right
// after its handshake.
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
	"syscall"
	"time"

	"sampan/bench/stat"
)

func main() {
	sampan := flag.String("sampan", "", "the `binary` to measure; built from ./cmd otherwise")
	seconds := flag.Float64("seconds", 2, "how long a server is measured in a round")
	rounds := flag.Int("rounds", 3, "how often each server is measured; the figure is the median")
	clients := flag.Int("clients", 2*runtime.NumCPU(), "handshakes at the same time")
	only := flag.String("only", "", "measure the kinds of handshake alone whose name contains this `text`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *rounds < 1 {
		fmt.Fprintln(os.Stderr, "handshakes: --rounds is at least 1")
		os.Exit(2)
	}
	each := time.Duration(*seconds * float64(time.Second))
	if err := run(ctx, *sampan, each, *rounds, *clients, *only); err != nil {
		fmt.Fprintln(os.Stderr, "handshakes:", err)
		os.Exit(1)
	}
}

// run measures every kind with every server that is there.
func run(ctx context.Context, sampan string, each time.Duration, rounds, clients int, only string) error {
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
		figures := make([][]float64, len(servers))
		for range rounds {
			for i, server := range servers {
				figure, err := measure(ctx, s, server, k, each, clients)
				if errors.Is(err, errCannot) {
					continue
				}
				if err != nil {
					return fmt.Errorf("%s, %s: %w", server.name, k.name, err)
				}
				figures[i] = append(figures[i], figure)
			}
		}
		row := "| " + k.name + " | " + k.policy + " |"
		for i := range servers {
			row += " " + cell(figures[i]) + " |"
		}
		fmt.Println(row)
	}
	return nil
}

// errCannot says that a server is not installed, or has no such handshake.
var errCannot = errors.New("cannot do that")

// cell is the median of a server's rounds, or a dash if it cannot do what was asked for.
func cell(figures []float64) string {
	if len(figures) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f", stat.Median(figures))
}

// measure starts a server for one kind of handshake and drives it. The result is the number of handshakes in a
// second of the server's processor time.
func measure(ctx context.Context, s *site, server server, k kind, each time.Duration, clients int) (float64, error) {
	p, err := server.start(ctx, k)
	if err != nil {
		return 0, err
	}
	defer p.stop()
	shake := s.client(k, p.addr)
	if err := p.ready(ctx, shake); err != nil {
		return 0, err
	}
	before, err := p.cpu()
	if err != nil {
		return 0, err
	}
	n, err := drive(ctx, shake, each, clients)
	if err != nil {
		return 0, fmt.Errorf("%w\n%s", err, &p.said)
	}
	after, err := p.cpu()
	if err != nil {
		return 0, err
	}
	if after == before {
		return 0, fmt.Errorf("%d handshakes took no processor time that the kernel counts; measure longer", n)
	}
	return float64(n) / (after - before).Seconds(), nil
}
