package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sampan/bench/stat"
)

func main() {
	if len(os.Args) == 5 && os.Args[1] == "nats" { // the child that brokers starts
		if err := serveNATS(os.Args[2], os.Args[3], os.Args[4] == "always"); err != nil {
			fmt.Fprintln(os.Stderr, "durable:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "durable:", err)
		os.Exit(1)
	}
}

// Result is one broker under one load, the median of its rounds.
type Result struct {
	Broker     string  `json:"broker"`
	Publishers int     `json:"publishers"`
	Rate       float64 `json:"messagesPerSecond"`
	P50        float64 `json:"p50Ms"` // 0 with a Rate of 0: no PUBACK came while it was measured
	P99        float64 `json:"p99Ms"`
	Rounds     int     `json:"rounds"`
	Ratio      float64 `json:"rateToSampanDisk"` // 0: not known
}

// String is the line of the table. What is not known is a dash, not a 0 that looks like the quickest of all.
func (r Result) String() string {
	cell := func(digits int, figure float64) string {
		if figure == 0 {
			return "–"
		}
		return strconv.FormatFloat(figure, 'f', digits, 64)
	}
	return fmt.Sprintf("| %d | %s | %.0f | %s | %s | %s |", r.Publishers, r.Broker, r.Rate, cell(2, r.Ratio), cell(2, r.P50), cell(2, r.P99))
}

// Report is everything that was measured.
type Report struct {
	Load     []Result  `json:"load"`
	Recovery *Recovery `json:"recovery,omitempty"`
}

func run() error {
	sampan := flag.String("sampan", "../../bin/sampan", "the binary to measure")
	dir := flag.String("dir", ".", "directory on the disk to measure; each broker gets an empty one in it")
	counts := flag.String("publishers", "1,64,1024", "numbers of publishers")
	only := flag.String("only", "", "brokers to measure, by commas; all of them otherwise")
	rounds := flag.Int("rounds", 3, "rounds in which every broker has its turn")
	measure := flag.Duration("measure", 2*time.Second, "time that is measured in a turn, after a quarter of it to warm up")
	stored := flag.Int("recover", 1_000_000, "messages stored before sampan is killed, to see how long it takes to be back; 0: do not")
	asJSON := flag.Bool("json", false, "print JSON instead of a table")
	flag.Parse()
	chosen, err := choose(brokers(*sampan), *only)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	if !*asJSON {
		fmt.Println("| publishers | broker | messages/s | to sampan disk | PUBACK p50 ms | p99 ms |\n|---:|---|---:|---:|---:|---:|")
	}
	var report Report
	for _, word := range strings.Split(*counts, ",") {
		publishers, err := strconv.Atoi(word)
		if err != nil || publishers < 1 {
			return fmt.Errorf("-publishers %s: numbers, by commas", *counts)
		}
		taken := map[string][]turn{}
		for range *rounds {
			for _, b := range chosen {
				t, err := b.turn(ctx, *dir, publishers, *measure)
				if err != nil {
					return fmt.Errorf("%s with %d publishers: %w", b.name, publishers, err)
				}
				taken[b.name] = append(taken[b.name], t)
			}
		}
		disk := median(taken["sampan disk"], func(t turn) float64 { return t.rate })
		for _, b := range chosen {
			if turns := taken[b.name]; len(turns) > 0 {
				r := Result{b.name, publishers, median(turns, func(t turn) float64 { return t.rate }),
					median(turns, func(t turn) float64 { return t.p50 }), median(turns, func(t turn) float64 { return t.p99 }), len(turns), 0}
				if disk > 0 {
					r.Ratio = r.Rate / disk
				}
				report.Load = append(report.Load, r)
				if !*asJSON {
					fmt.Println(r)
				}
			}
		}
	}
	if *stored > 0 {
		r, err := sampanAt(*sampan, "disk").recovery(ctx, *dir, *stored)
		if err != nil {
			return fmt.Errorf("recovery: %w", err)
		}
		report.Recovery = &r
		if !*asJSON {
			fmt.Printf("\nAfter SIGKILL with %d messages of %d bytes in %d queues, stored at %.0f a second, sampan accepted connections\n"+
				"%.2f s after its start, %.2f s for each million messages, with %.0f bytes of memory a message.\n",
				r.Messages, payloadBytes, r.Queues, r.Stored, r.Seconds, r.PerMillion, r.Memory)
			d := r.Drain
			fmt.Printf("%d clients at a time then took them from the disk, %.0f a second; a publisher that waited for PUBACK %.2f ms (p99 %.2f)\n"+
				"when it was alone waited %.2f ms (p99 %.2f) meanwhile.\n", d.Clients, d.Rate, d.Before.P50, d.Before.P99, d.Meanwhile.P50, d.Meanwhile.P99)
		}
	}
	if *asJSON {
		return json.NewEncoder(os.Stdout).Encode(report)
	}
	return nil
}

// median of one figure of the turns; 0 without any.
func median(turns []turn, figure func(turn) float64) float64 {
	all := make([]float64, len(turns))
	for i, t := range turns {
		all[i] = figure(t)
	}
	return stat.Median(all)
}
