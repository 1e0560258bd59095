package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"sampan/packet"
)

// loop does one thing n times.
type loop func(n int) error

var (
	errNotRead    = errors.New("the packet was not read")
	errNotWritten = errors.New("the packet was not written")
)

// check keeps the last result alive and real.
func check(b []byte) error {
	if len(b) == 0 {
		return errNotRead
	}
	return nil
}

// way is one way to do the job of its case.
type way struct {
	name string
	run  loop
}

// job is one packet in one direction; the first way is the yardstick.
type job struct {
	name string
	ways []way
}

// Result is one line of the table.
type Result struct {
	Job    string  `json:"job"`
	Way    string  `json:"way"`
	Ns     float64 `json:"nsPerPacket"`     // median of the rounds
	Best   float64 `json:"bestNsPerPacket"` // fastest round
	Bytes  float64 `json:"bytesPerPacket"`  // allocated
	Allocs float64 `json:"allocsPerPacket"`
	Times  float64 `json:"timesFirst"` // Ns in units of the job's first way
}

func main() {
	rounds := flag.Int("rounds", 15, "rounds in which every way has its turn")
	slice := flag.Duration("slice", 10*time.Millisecond, "how long one turn lasts")
	asJSON := flag.Bool("json", false, "print JSON instead of a table")
	flag.Parse()

	all, err := jobs()
	if err == nil {
		var results []Result
		if results, err = measure(all, *rounds, *slice); err == nil {
			err = report(os.Stdout, results, *asJSON)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// jobs lists what is compared. The packets are a device's: a signed CONNECT, a
// subscription to its own topics, updates of three sizes.
func jobs() ([]job, error) {
	var list []job
	topic := []byte("/a1B2c3D4e5/dev1/update")
	for _, c := range []struct {
		name    string
		qos     byte
		payload int
	}{{"PUBLISH QoS 0, 64 B", 0, 64}, {"PUBLISH QoS 1, 256 B", 1, 256}, {"PUBLISH QoS 1, 1 KiB", 1, 1024}} {
		p := &packet.Publish{Topic: topic, Payload: bytes.Repeat([]byte{'x'}, c.payload), QoS: c.qos}
		if c.qos > 0 {
			p.ID = 0x1234
		}
		raw := p.AppendTo(nil)
		decode := (*packets.Packet).PublishDecode
		pk, err := mochiPacket(raw, decode)
		if err != nil {
			return nil, err
		}
		list = append(list,
			job{"decode " + c.name, []way{
				{"sampan decode", sampanPublish(raw)},
				{"sampan cut", sampanCut(raw)},
				{"sampan same", sampanCutSame(raw, topic)},
				{"sampan reader", sampanPublishReader(raw)},
				{"mochi alias", mochiAlias(raw, decode, false)},
				{"mochi validated", mochiAlias(raw, decode, true)},
				{"mochi client", mochiRead(raw)},
			}},
			job{"encode " + c.name, []way{
				{"sampan append", sampanAppendPublish(p)},
				{"mochi encode", mochiEncode(pk, (*packets.Packet).PublishEncode)},
				{"mochi write", mochiWrite(pk, false)},
				{"mochi deliver", mochiWrite(pk, true)},
			}})
	}

	connect := (&packet.Connect{
		CleanSession: true, KeepAlive: 60,
		ClientID:    []byte("a1B2c3D4e5.dev1|timestamp=2524608000000,_ss=1,_v=sdk-c-4.2.0,securemode=3,signmethod=hmacsha256,ext=3,_conn=tcp_1|"),
		HasUsername: true, Username: []byte("dev1&a1B2c3D4e5"),
		HasPassword: true, Password: bytes.Repeat([]byte{'A'}, 64),
	}).AppendTo(nil)
	list = append(list, job{"decode CONNECT", []way{
		{"sampan decode", sampanConnect(connect)},
		{"mochi alias", mochiAlias(connect, (*packets.Packet).ConnectDecode, false)},
		{"mochi client", mochiRead(connect)},
	}})

	s := packet.Subscribe{ID: 7}
	s.Add([]byte("/sys/a1B2c3D4e5/dev1/rrpc/request/+"), 1)
	s.Add([]byte("/a1B2c3D4e5/dev1/get"), 0)
	subscribe := s.AppendTo(nil)
	list = append(list, job{"decode SUBSCRIBE, 2 filters", []way{
		{"sampan decode", sampanSubscribe(subscribe)},
		{"mochi alias", mochiAlias(subscribe, (*packets.Packet).SubscribeDecode, false)},
		{"mochi client", mochiRead(subscribe)},
	}})

	puback := packet.AppendPuback(nil, 0x1234)
	pk, err := mochiPacket(puback, (*packets.Packet).PubackDecode)
	if err != nil {
		return nil, err
	}
	list = append(list,
		job{"decode PUBACK", []way{
			{"sampan decode", sampanPuback(puback)},
			{"sampan cut", sampanCutPuback(puback)},
			{"mochi alias", mochiAlias(puback, (*packets.Packet).PubackDecode, false)},
			{"mochi client", mochiRead(puback)},
		}},
		job{"encode PUBACK", []way{
			{"sampan append", sampanAppendPuback(0x1234)},
			{"mochi encode", mochiEncode(pk, (*packets.Packet).PubackEncode)},
			{"mochi write", mochiWrite(pk, false)},
		}})
	return list, nil
}

// measure gives every way its turn in each round, so that a disturbance meets
// all of them, and takes medians.
func measure(all []job, rounds int, slice time.Duration) ([]Result, error) {
	if rounds < 1 || slice <= 0 {
		return nil, fmt.Errorf("--rounds %d of --slice %v measure nothing", rounds, slice)
	}
	var results []Result
	for _, j := range all {
		n := make([]int, len(j.ways))
		times := make([][]float64, len(j.ways))
		line := make([]Result, len(j.ways))
		for i, w := range j.ways {
			took, count := time.Duration(0), 100
			for ; took < slice/4; count *= 2 { // warms up, too
				start := time.Now()
				if err := w.run(count); err != nil {
					return nil, fmt.Errorf("%s, %s: %w", j.name, w.name, err)
				}
				took = time.Since(start)
			}
			n[i] = max(1, int(float64(count/2)*float64(slice)/float64(took)))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := w.run(n[i]); err != nil {
				return nil, err
			}
			runtime.ReadMemStats(&after)
			line[i] = Result{
				Job: j.name, Way: w.name,
				Bytes:  float64(after.TotalAlloc-before.TotalAlloc) / float64(n[i]),
				Allocs: float64(after.Mallocs-before.Mallocs) / float64(n[i]),
			}
		}
		for range rounds {
			for i, w := range j.ways {
				start := time.Now()
				if err := w.run(n[i]); err != nil {
					return nil, err
				}
				times[i] = append(times[i], float64(time.Since(start).Nanoseconds())/float64(n[i]))
			}
		}
		for i := range line {
			slices.Sort(times[i])
			line[i].Best, line[i].Ns = times[i][0], times[i][len(times[i])/2]
			line[i].Times = line[i].Ns / line[0].Ns
		}
		results = append(results, line...)
	}
	return results, nil
}

func report(to io.Writer, results []Result, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(to)
		e.SetIndent("", "  ")
		return e.Encode(results)
	}
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	last := ""
	for _, r := range results {
		if r.Job != last {
			fmt.Fprintf(w, "\n%s\tns\tbest\tB\tallocs\ttimes\t\n", r.Job)
			last = r.Job
		}
		fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%.0f\t%.0f\t%.1f\t\n", r.Way, r.Ns, r.Best, r.Bytes, r.Allocs, r.Times)
	}
	return w.Flush()
}
