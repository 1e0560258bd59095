package topictree

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
)

// A device stands for a connection: the tree only keeps its address.
type device struct{ id int }

const (
	products = 50
	devices  = 25_000
)

func productKey(p int) string { return fmt.Sprintf("a1B2c3D4e%02d", p) }
func deviceName(d int) string { return fmt.Sprintf("device-%05d", d) }

// fleet calls subscribe for the 100,000 subscriptions of 25,000 devices of 50
// products: 25,000 exact, 25,000 with # and 25,000 with + in the last place;
// 24,000 to their product's broadcast, 480 each; 1,000 with + in the device's
// place, 20 a product.
func fleet(subscribe func(filter string, d *device)) {
	for i := range devices {
		d := &device{i}
		pk, dn := productKey(i%products), deviceName(i)
		subscribe("/"+pk+"/"+dn+"/get", d)
		subscribe("/sys/"+pk+"/"+dn+"/thing/#", d)
		subscribe("/sys/"+pk+"/"+dn+"/rrpc/request/+", d)
		if i < 24_000 {
			subscribe("/broadcast/"+pk+"/#", d)
		} else {
			subscribe("/"+pk+"/+/update", d)
		}
	}
}

// fleetTopics has 16,384 topics for each kind of match, in random order.
func fleetTopics() (names []string, topics map[string][][]byte) {
	cases := []struct{ name, format string }{
		{"get", "/%s/%s/get"},
		{"rrpc", "/sys/%s/%s/rrpc/request/%d"},
		{"update", "/%s/%s/update"},
		{"none", "/%s/%s/nobody"},
		{"broadcast", "/broadcast/%s/%[3]d"},
	}
	rng := rand.New(rand.NewPCG(1, 2))
	topics = map[string][][]byte{}
	for _, c := range cases {
		names = append(names, c.name)
		for range 16_384 {
			i := rng.IntN(devices)
			topic := fmt.Sprintf(c.format, productKey(i%products), deviceName(i), rng.IntN(1e6))
			topic, _, _ = strings.Cut(topic, "%!")
			topics[c.name] = append(topics[c.name], []byte(topic))
		}
	}
	return names, topics
}

// heap returns the bytes in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC() // finishes the sweep of the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkFleetMatch matches among 100,000 subscriptions.
func BenchmarkFleetMatch(b *testing.B) {
	tree := New[*device](Options{})
	fleet(func(filter string, d *device) { tree.Subscribe(filter, d, 1) })
	names, topics := fleetTopics()
	for _, name := range names {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var m Matches[*device]
			set, hits := topics[name], 0
			for i := 0; b.Loop(); i++ {
				tree.Match(set[i%len(set)], &m)
				hits += m.Len()
			}
			b.ReportMetric(float64(hits)/float64(b.N), "subscribers/op")
		})
	}
}

// BenchmarkFleetMatchParallel matches on all cores, alone and beside a writer
// that never rests: the cost of a match must stay what it is on one core.
func BenchmarkFleetMatchParallel(b *testing.B) {
	tree := New[*device](Options{})
	fleet(func(filter string, d *device) { tree.Subscribe(filter, d, 1) })
	_, topics := fleetTopics()
	set := topics["rrpc"]
	run := func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			var m Matches[*device]
			for i := rand.IntN(len(set)); pb.Next(); i++ {
				tree.Match(set[i%len(set)], &m)
			}
		})
	}
	b.Run("alone", run)
	b.Run("with-writer", func(b *testing.B) {
		stop, stopped := make(chan struct{}), make(chan int)
		go func() {
			d, n := new(device), 0
			for {
				select {
				case <-stop:
					stopped <- n
					return
				default:
					filter := "/sys/" + productKey(n%products) + "/" + deviceName(n%devices) + "/rrpc/request/+"
					tree.Subscribe(filter, d, 1)
					tree.Unsubscribe(filter, d)
					n++
				}
			}
		}()
		run(b)
		close(stop)
		b.ReportMetric(2*float64(<-stopped)/b.Elapsed().Seconds(), "changes/s")
	})
}

// BenchmarkCurrent asks whether a result still holds, as a publisher does that
// stays on one topic.
func BenchmarkCurrent(b *testing.B) {
	tree := New[*device](Options{})
	fleet(func(filter string, d *device) { tree.Subscribe(filter, d, 1) })
	topic := []byte("/" + productKey(7) + "/" + deviceName(7) + "/get")
	var m Matches[*device]
	tree.Match(topic, &m)
	for b.Loop() {
		if !tree.Current(&m, topic) {
			b.Fatal("nothing has changed, but the match is outdated")
		}
	}
}

// BenchmarkFleetSubscribe builds the tree of the fleet. The bytes are those of
// the tree with the text of the filters.
func BenchmarkFleetSubscribe(b *testing.B) {
	var grown int64
	for b.Loop() {
		b.StopTimer()
		type subscription struct {
			filter string
			d      *device
		}
		var all []subscription
		fleet(func(filter string, d *device) { all = append(all, subscription{filter, d}) })
		before := heap()
		b.StartTimer()
		tree := New[*device](Options{})
		for _, s := range all {
			tree.Subscribe(strings.Clone(s.filter), s.d, 1)
		}
		b.StopTimer()
		grown = heap() - before
		runtime.KeepAlive(tree)
		runtime.KeepAlive(all)
		b.StartTimer()
	}
	perSubscription(b, 4*devices)
	b.ReportMetric(float64(grown)/(4*devices), "B/subscription")
}

func perSubscription(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/subscription")
	b.ReportMetric(0, "ns/op")
}

func crowd(n int) []*device {
	all := make([]*device, n)
	for i := range all {
		all[i] = &device{i}
	}
	return all
}

// BenchmarkOneTopic subscribes n subscribers to one topic and removes them one
// by one: the cost of each must hardly grow with n. It ends with what a match
// costs while they are there, and the memory they take.
func BenchmarkOneTopic(b *testing.B) {
	const topic = "bench/all"
	for _, n := range []int{1_000, 10_000, 100_000} {
		all := crowd(n)
		b.Run(fmt.Sprint("subscribe/", n), func(b *testing.B) {
			var grown int64
			for b.Loop() {
				b.StopTimer()
				before := heap()
				b.StartTimer()
				tree := New[*device](Options{})
				for _, d := range all {
					tree.Subscribe(topic, d, 1)
				}
				b.StopTimer()
				grown = heap() - before
				runtime.KeepAlive(tree)
				b.StartTimer()
			}
			perSubscription(b, n)
			b.ReportMetric(float64(grown)/float64(n), "B/subscription")
		})
		tree := New[*device](Options{})
		fill := func() {
			for _, d := range all {
				tree.Subscribe(topic, d, 1)
			}
		}
		b.Run(fmt.Sprint("unsubscribe/", n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				fill()
				b.StartTimer()
				for _, d := range all {
					tree.Unsubscribe(topic, d)
				}
			}
			perSubscription(b, n)
		})
		fill()
		b.Run(fmt.Sprint("match/", n), func(b *testing.B) {
			var m Matches[*device]
			for b.Loop() {
				tree.Match([]byte(topic), &m)
			}
			b.ReportMetric(float64(len(m.Chunks())), "chunks")
		})
		b.Run(fmt.Sprint("iterate/", n), func(b *testing.B) {
			var m Matches[*device]
			tree.Match([]byte(topic), &m)
			sum := 0
			for b.Loop() {
				for _, chunk := range m.Chunks() {
					for _, e := range chunk {
						sum += int(e.QoS)
					}
				}
			}
		})
	}
}

// BenchmarkUnrelated matches one topic with two subscribers, one of them by
// wildcard, among ever more filters that do not concern it.
func BenchmarkUnrelated(b *testing.B) {
	for _, n := range []int{0, 1_000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tree := New[*device](Options{})
			for i := range n {
				tree.Subscribe("/"+productKey(i%products)+"/"+deviceName(i)+"/get", &device{i}, 1)
			}
			topic := "/" + productKey(1) + "/" + deviceName(n+1) + "/update"
			tree.Subscribe(topic, new(device), 1)
			tree.Subscribe("/"+productKey(1)+"/+/update", new(device), 1)
			var m Matches[*device]
			for b.Loop() {
				tree.Match([]byte(topic), &m)
			}
			if m.Len() != 2 {
				b.Fatalf("%d subscribers, want 2", m.Len())
			}
		})
	}
}

// BenchmarkWildcard matches one topic with 1,000 subscribers by one wildcard
// filter, or by one wildcard filter each of several overlapping ones, among
// 50,000 filters.
func BenchmarkWildcard(b *testing.B) {
	tree := New[*device](Options{})
	for i := range 50_000 {
		tree.Subscribe("/"+productKey(i%products)+"/"+deviceName(i)+"/get", &device{i}, 1)
	}
	for i, d := range crowd(1_000) {
		tree.Subscribe("bench/+/all", d, 1)
		tree.Subscribe([]string{"over/#", "over/+/lap", "over/a/+", "+/a/lap"}[i%4], d, byte(i%2))
		if i%4 == 0 {
			tree.Subscribe("over/a/lap", d, 1)
		}
	}
	for _, topic := range []string{"bench/1/all", "over/a/lap"} {
		b.Run(strings.ReplaceAll(topic, "/", "-"), func(b *testing.B) {
			b.ReportAllocs()
			var m Matches[*device]
			for b.Loop() {
				tree.Match([]byte(topic), &m)
			}
			if m.Len() != 1_000 {
				b.Fatalf("%d subscribers, want 1,000", m.Len())
			}
		})
	}
}

// BenchmarkAfterChurn matches a topic with ten subscribers after 3,300 others
// came and went.
func BenchmarkAfterChurn(b *testing.B) {
	for _, churn := range []int{0, 3_300} {
		b.Run(fmt.Sprint(churn), func(b *testing.B) {
			tree := New[*device](Options{})
			stay, gone := crowd(10), crowd(churn)
			for _, d := range gone[:churn/2] {
				tree.Subscribe("bench/all", d, 0)
			}
			for _, d := range stay {
				tree.Subscribe("bench/all", d, 0)
			}
			for _, d := range gone[churn/2:] {
				tree.Subscribe("bench/all", d, 0)
			}
			for _, d := range gone {
				tree.Unsubscribe("bench/all", d)
			}
			var m Matches[*device]
			for b.Loop() {
				tree.Match([]byte("bench/all"), &m)
			}
			b.ReportMetric(float64(len(m.Chunks())), "chunks")
		})
	}
}
