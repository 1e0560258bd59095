//go:build unix

package stores

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkPut has producers that each put a message, wait until it is durable, and go on. After every 50
// messages to a queue, a producer takes 50 out of it.
func BenchmarkPut(b *testing.B) {
	for _, producers := range []int{1, 64, 1024} {
		for _, engine := range Engines {
			b.Run(fmt.Sprintf("producers=%d/%s", producers, engine.Name), func(b *testing.B) {
				dir, err := os.MkdirTemp(".", "bench-*.tmp") // the temporary directory may be in memory
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { os.RemoveAll(dir) })
				e, err := engine.Open(dir)
				if err != nil {
					b.Fatal(err)
				}
				message := make([]byte, 256)
				var left atomic.Int64
				left.Store(int64(b.N))
				times := make([][]time.Duration, producers)
				var wg sync.WaitGroup
				b.ResetTimer()
				cpu := cpuTime()
				for p := range producers {
					wg.Go(func() {
						for n := 1; left.Add(-1) >= 0; n++ {
							start := time.Now()
							if err := e.Put(p%Queues, message); err != nil {
								b.Error(err)
								return
							}
							times[p] = append(times[p], time.Since(start))
							if n%50 == 0 {
								if err := e.Done(p%Queues, 50); err != nil {
									b.Error(err)
									return
								}
							}
						}
					})
				}
				wg.Wait()
				b.StopTimer()
				cpu = cpuTime() - cpu
				if err := e.Close(); err != nil {
					b.Fatal(err)
				}
				all := slices.Concat(times...)
				slices.Sort(all)
				b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "msg/s")
				b.ReportMetric(cpu.Seconds()*1e6/float64(len(all)), "cpu-us/msg")
				b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
				b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
			})
		}
	}
}

// TestEnginesKeepWhatTheyAcknowledge: the comparison is fair only if all do the same.
func TestEnginesKeepWhatTheyAcknowledge(t *testing.T) {
	for _, engine := range Engines {
		t.Run(engine.Name, func(t *testing.T) {
			e, err := engine.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			for i := range 20 {
				if err := e.Put(i%3, []byte("message")); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // the second time there is less
				if err := e.Done(1, 5); err != nil {
					t.Fatal(err)
				}
			}
			if s, ok := e.(*sampan); ok && s.store.Stats().Queued != 13 {
				t.Fatalf("got %+v", s.store.Stats())
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// cpuTime is the processor time that this process has used.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
