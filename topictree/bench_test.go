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

func heap() int64 {
	runtime.GC()
	runtime.GC()
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
