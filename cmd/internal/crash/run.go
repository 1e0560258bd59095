package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sampan/cmd/internal/client"
)

// Options say what happens to the broker.
type Options struct {
	Kills       int
	PowerCuts   bool   // on a simulated disk, in this process, instead of SIGKILL to another
	Durability  string // "os" or "disk", of the child; power cuts are always at disk
	Publishers  int
	Subscribers int
	Rate        int           // messages a second, of all publishers together
	MinInterval time.Duration // from one start of the broker to its end
	MaxInterval time.Duration
	Timeout     time.Duration // of one start of the broker, and of the wait for the last messages
	Data        string        // the child's folder: new or empty, and kept. "": a temporary one
	Seed        uint64

	// Progress is called after each start of the broker and at the end. nil: not.
	Progress func(Progress)
}

// Progress is how far a run has come.
type Progress struct {
	Elapsed  time.Duration
	Kills    int
	Recovery time.Duration // of the last start
	Faults   int
	Counts
}

// Report is the result of a run.
type Report struct {
	Way          string       `json:"way"` // "SIGKILL" or "power cut"
	Durability   string       `json:"durability"`
	Seed         uint64       `json:"seed"`
	Kills        int          `json:"kills"`
	Seconds      float64      `json:"seconds"`
	Publishers   int          `json:"publishers"`
	Subscribers  int          `json:"subscribers"`
	RecoveryMs   Quantiles    `json:"recoveryMs"` // from the start of the process until it accepts
	FaultsByKind map[Kind]int `json:"faults"`
	Examples     []Fault      `json:"examples,omitempty"`
	Data         string       `json:"data,omitempty"` // the folder, if it was kept
	Complete     bool         `json:"complete"`       // all kills happened and the last messages came
	Interrupted  bool         `json:"interrupted"`    // it was told to end before that
	Planned      int          `json:"planned"`        // kills, if it is not
	Counts
}

// Quantiles of the time to recover, in milliseconds.
type Quantiles struct {
	Median  float64 `json:"median"`
	Longest float64 `json:"longest"`
}

// OK reports whether every promise was kept, and enough happened to say so.
func (r *Report) OK() bool {
	return !r.faulty() && r.Complete && r.Outlived > 0
}

// faulty reports whether a promise was broken.
func (r *Report) faulty() bool {
	for _, n := range r.FaultsByKind {
		if n > 0 {
			return true
		}
	}
	return false
}

// run is one run.
type run struct {
	o      Options
	target target
	ledger *ledger
	random *rand.Rand
	began  time.Time
	takes  []time.Duration
	waited bool // long enough for the last messages
	report Report
}

// Run ends and starts a broker as the options say, and audits it. The error says why that could not be done;
// what the broker did wrong is in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	random := rand.New(rand.NewPCG(o.Seed, 0x5a3b))
	if o.PowerCuts {
		return drive(ctx, o, newPowered(rand.New(rand.NewPCG(o.Seed, 0xc07))), random)
	}
	data, temporary, err := folder(o.Data)
	if err != nil {
		return nil, err
	}
	child, err := newProcess(data, o.Durability)
	if err != nil {
		return nil, err
	}
	report, err := drive(ctx, o, child, random)
	if temporary && report == nil { // it has not even started, and has said why
		return nil, errors.Join(err, os.RemoveAll(data))
	}
	if temporary && err == nil && report.OK() {
		return report, os.RemoveAll(data)
	}
	if report != nil {
		report.Data = data
	}
	return report, err
}

// folder makes the folder for the child's data.
func folder(name string) (data string, temporary bool, err error) {
	if name == "" {
		data, err = os.MkdirTemp("", "sampan-crash-")
		return data, true, err
	}
	entries, err := os.ReadDir(name)
	if err == nil && len(entries) > 0 {
		return "", false, fmt.Errorf("%s is not empty: the broker that is crashed needs a folder of its own", name)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", false, err
	}
	if err := os.MkdirAll(name, 0o700); err != nil {
		return "", false, err
	}
	data, err = filepath.Abs(name)
	return data, false, err
}

func drive(ctx context.Context, o Options, t target, random *rand.Rand) (*Report, error) {
	r := &run{o: o, target: t, random: random, began: time.Now()}
	r.ledger = newLedger(random.Uint64(), o.Publishers, o.Subscribers)
	r.report = Report{Way: "SIGKILL", Durability: o.Durability, Seed: o.Seed, Planned: o.Kills, Publishers: o.Publishers, Subscribers: o.Subscribers}
	if o.PowerCuts {
		r.report.Way, r.report.Durability = "power cut", "disk"
	}
	defer t.kill()
	if err := r.start(ctx); err != nil {
		return nil, err
	}
	r.play(ctx)
	r.report.Interrupted = ctx.Err() != nil && !r.report.Complete
	r.ledger.audit(r.waited)
	return r.finish(), context.Cause(ctx)
}

// start starts the broker and notes how long that took.
func (r *run) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeout)
	defer cancel()
	began := time.Now()
	if err := r.target.start(ctx); err != nil {
		return err
	}
	r.takes = append(r.takes, time.Since(began))
	return nil
}

// play is the whole run, from the first connection to the last.
func (r *run) play(ctx context.Context) {
	playing, end := context.WithCancel(ctx)
	publishing, attending := make(chan struct{}), make(chan struct{})
	var publishers, subscribers sync.WaitGroup
	var first *publisher
	for i := range r.o.Publishers {
		p := &publisher{number: i, run: r, random: r.fork(), window: 1 + i%2*7,
			every: time.Second * time.Duration(r.o.Publishers) / time.Duration(r.o.Rate)}
		if i == 0 {
			first = p
		}
		publishers.Go(func() { p.publish(playing, publishing) }) // ends by publishing, or playing
	}
	for i := range r.o.Subscribers {
		d := &device{number: i, run: r, random: r.fork(), mood: r.fork(), wants: map[int]bool{}}
		subscribers.Go(func() { d.attend(playing, attending) }) // ends by playing
	}
	defer subscribers.Wait()
	defer publishers.Wait()
	defer end()

	if !r.kills(playing) {
		return
	}
	r.settle(playing, first, publishing, attending, &publishers)
}

// kills ends the broker and starts it again. It reports whether the broker runs.
func (r *run) kills(ctx context.Context) bool {
	for r.report.Kills < r.o.Kills {
		live := r.o.MinInterval
		if span := r.o.MaxInterval - r.o.MinInterval; span > 0 {
			live += time.Duration(r.random.Int64N(int64(span)))
		}
		select {
		case <-time.After(live):
		case <-r.target.life().Done():
			if ctx.Err() == nil { // the signal that interrupts us may have reached the child too
				r.ledger.fault(Broker, "%v", context.Cause(r.target.life()))
			}
			return false
		case <-ctx.Done():
			return false
		}
		err := r.target.kill()
		if err == nil {
			r.report.Kills++
			err = r.start(ctx)
		}
		if err != nil {
			if ctx.Err() == nil {
				r.ledger.fault(Broker, "after kill %d: %v", r.report.Kills, err)
			}
			return false
		}
		r.progress()
	}
	return true
}

// settle stops the load, lets everybody stay, and sends a last message, behind which nothing waits.
func (r *run) settle(playing context.Context, last *publisher, publishing, attending chan struct{}, publishers *sync.WaitGroup) {
	living, over := context.WithCancel(playing)
	defer over()
	defer context.AfterFunc(r.target.life(), over)()
	select {
	case <-time.After(r.o.MaxInterval): // a last while of load for the broker that stays
	case <-living.Done():
	}
	ctx, cancel := context.WithTimeout(living, r.o.Timeout)
	defer cancel()
	late := func(format string, args ...any) {
		switch gone := context.Cause(r.target.life()); {
		case playing.Err() != nil: // it was interrupted, and has not waited long enough to blame the broker
		case gone != nil:
			r.ledger.fault(Broker, "%v", gone)
		default:
			r.waited = ctx.Err() != nil
			r.ledger.fault(Broker, "%s\n%s", fmt.Sprintf(format, args...), r.target.said())
		}
	}
	close(attending)
	close(publishing)
	published := make(chan struct{})
	go func() { publishers.Wait(); close(published) }() // ends by playing, at the latest
	select {
	case <-published:
	case <-ctx.Done():
		late("it did not acknowledge what was published last within %v", r.o.Timeout)
		return
	}
	select {
	case <-r.ledger.joined: // to the others the last message would not be sent
	case <-ctx.Done():
		late("it did not let every subscriber subscribe within %v", r.o.Timeout)
		return
	}
	stream, number, err := last.last(ctx)
	if err != nil {
		late("%v", err)
		return
	}
	r.ledger.finish(stream, number)
	select {
	case <-r.ledger.settled:
		r.report.Complete, r.waited = true, true
	case <-ctx.Done():
		late("the last messages did not reach every subscriber within %v", r.o.Timeout)
		return
	}
	err = r.target.close()
	if gone := context.Cause(r.target.life()); gone != nil {
		err = gone
	}
	if err != nil {
		r.ledger.fault(Broker, "%v", err)
	}
}

// fork makes a source of random numbers for one goroutine.
func (r *run) fork() *rand.Rand { return rand.New(rand.NewPCG(r.random.Uint64(), r.random.Uint64())) }

func (r *run) progress() {
	if r.o.Progress == nil {
		return
	}
	counts, faults := r.ledger.snapshot()
	r.o.Progress(Progress{Elapsed: time.Since(r.began), Kills: r.report.Kills, Recovery: r.takes[len(r.takes)-1], Faults: faults, Counts: counts})
}

// Bounds on how long a client waits for the broker.
const (
	retryEvery = 10 * time.Millisecond
	patience   = 10 * time.Second // for CONNACK
)

// connect connects a client as soon as the broker can be reached, until ctx ends. It says which start of the
// broker it reached.
func (r *run) connect(ctx context.Context, o client.Options) (*client.Client, int, error) {
	for {
		c, n, err := r.try(ctx, o)
		var refused *client.RefusedError
		if err == nil {
			return c, n, nil
		}
		if errors.As(err, &refused) && r.current(n) {
			r.ledger.fault(Broker, "a CONNECT was refused: %v", refused)
		}
		if ctx.Err() != nil {
			return nil, 0, context.Cause(ctx)
		}
		pause(ctx, retryEvery)
	}
}

// current reports whether a start of the broker is the one that runs: one whose power was cut may refuse.
func (r *run) current(n int) bool {
	conn, now, err := r.target.dial(context.Background())
	if err == nil {
		conn.Close()
	}
	return err == nil && now == n
}

func (r *run) try(ctx context.Context, o client.Options) (*client.Client, int, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var conn net.Conn
	conn, n, err := r.target.dial(ctx)
	if err != nil {
		return nil, 0, err
	}
	o.Conn = conn
	c, err := client.Connect(ctx, o)
	return c, n, err
}
