package bench_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"sampan/bench"
	"sampan/bench/fault"
	"sampan/bench/internal/fake"
	"sampan/bench/report"
	"sampan/bench/scenario"
)

// broker is where a broker listens while the examples run.
var broker = func() string {
	b, err := fake.Listen("127.0.0.1:0", fake.Behaviour{})
	if err != nil {
		log.Fatal(err)
	}
	return b.Addr
}()

// A scenario is a value: take one, change it, run it.
func Example() {
	s := scenario.Of(scenario.Fanout)
	s.Subscribers, s.Rate = 20, 50
	s.Warmup, s.Duration, s.Cooldown = 100*time.Millisecond, 500*time.Millisecond, 0

	result, err := bench.Run(context.Background(), bench.Config{
		Scenario: s,
		Target:   bench.Target{Name: "some broker", Addr: broker},
	})
	if err != nil {
		log.Fatal(err) // what the broker did wrong, in words
	}
	phase := result.Rounds[0].Main()
	fmt.Println("lost:", result.Rounds[0].Lost)
	fmt.Println("delivered:", phase.Count >= 400)
	fmt.Println("p99 known:", phase.Times.Delivery.Quantile(0.99) > 0)
	// Output:
	// lost: 0
	// delivered: true
	// p99 known: true
}

// What a broker does wrong is an error of a kind.
func ExampleRun_fault() {
	_, err := bench.Run(context.Background(), bench.Config{
		Scenario: scenario.Of(scenario.Pairs),
		Target:   bench.Target{Name: "nobody", Addr: "127.0.0.1:1"},
	})
	fmt.Println(errors.Is(err, fault.Unreachable), errors.Is(err, fault.Lost))
	// Output: true false
}

// Two brokers, or two builds of one, measured in turn. A command instead of an
// address starts a broker for each measurement and knows its processes, so
// that the first figure is deliveries for each second of its processor time.
func ExampleCompare() {
	s, err := scenario.Find("fanout-100")
	if err != nil {
		log.Fatal(err)
	}
	comparison, err := bench.Compare(context.Background(), bench.Config{Scenario: s, Repeats: 5},
		bench.Target{Name: "mosquitto", Command: []string{"mosquitto", "-p", "{port}"}, CPUs: []int{0}},
		bench.Target{Name: "sampan", Command: []string{"sampan", "serve", "--listen", "mqtt://{addr}", "--profile", "open"}, CPUs: []int{0}},
	)
	if err != nil {
		log.Fatal(err)
	}
	report.Of(comparison).WriteTable(os.Stdout)
	page, err := os.Create("comparison.html")
	if err != nil {
		log.Fatal(err)
	}
	defer page.Close()
	if err := report.Of(comparison).WriteHTML(page); err != nil {
		log.Fatal(err)
	}
}

// The highest rate at which 99 of 100 messages arrive within a millisecond.
func ExampleSearch() {
	highest, err := bench.Search(context.Background(), bench.Config{
		Scenario: scenario.Of(scenario.Pairs),
		Target:   bench.Target{Addr: "127.0.0.1:1883"},
	}, bench.Bound{P99: time.Millisecond, From: 1000})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.0f messages a second; beyond that: %s\n", highest.Rate, highest.Limit)
}
