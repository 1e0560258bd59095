//go:build unix

package logstore_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sampan/session"
	"sampan/session/logstore"
	"sampan/session/wal"
)

// benchStore opens a store on a disk: the temporary directory may be in memory.
func benchStore(b *testing.B, level wal.Level) (s *logstore.Store, dir string) {
	dir, err := os.MkdirTemp(".", "bench-*.tmp")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	s, err = logstore.Open(dir, logstore.Options{Level: level})
	if err != nil {
		b.Fatal(err)
	}
	return s, dir
}

func sessions(b *testing.B, s *logstore.Store, n int) []session.ID {
	ids := make([]session.ID, n)
	for i := range ids {
		ids[i] = newSession(b, s, fmt.Sprint("device", i))
	}
	return ids
}

// BenchmarkAppend has producers that each append a message of 256 bytes for one of 1,000 sessions, wait
// until that is durable, and go on. Where it says so, every message is acknowledged by its session when 50
// more have come, as of a client that is online; otherwise all stay.
func BenchmarkAppend(b *testing.B) {
	for _, level := range []wal.Level{wal.Disk, wal.OS} {
		for _, producers := range []int{1, 64, 1024, 8192} {
			benchmarkAppend(b, level, producers, false)
			benchmarkAppend(b, level, producers, true)
		}
	}
}

func benchmarkAppend(b *testing.B, level wal.Level, producers int, acked bool) {
	name := fmt.Sprintf("%v/%d", level, producers)
	if acked {
		name += "/acked"
	}
	b.Run(name, func(b *testing.B) {
		s, _ := benchStore(b, level)
		defer s.Close()
		ids := sessions(b, s, 1000)
		topic, payload := []byte("/sys/product/device/thing/service/property/set"), make([]byte, 256)
		var left atomic.Int64
		left.Store(int64(b.N))
		times := make([][]time.Duration, producers)
		var wg sync.WaitGroup
		b.ReportAllocs()
		b.ResetTimer()
		cpu := cpuTime()
		for p := range producers {
			wg.Go(func() {
				c := make(chan error, 1)
				answer := func(err error) { c <- err }
				to := make([]session.ID, 1)
				var unacked []session.Change
				for left.Add(-1) >= 0 {
					start := time.Now()
					to[0] = ids[(p+len(times[p]))%len(ids)]
					m := session.NewMessage(topic, payload, 0)
					err := s.Append(m, to)
					if err == nil {
						s.Sync(answer)
						err = <-c
					}
					if err != nil {
						b.Error(err)
						return
					}
					times[p] = append(times[p], time.Since(start))
					unacked = append(unacked, session.Change{Kind: session.Done, Session: to[0], Ref: m.Ref()})
					if len(unacked) == 50 {
						if acked {
							s.Record(unacked)
						}
						unacked = unacked[:0]
					}
				}
			})
		}
		wg.Wait()
		b.StopTimer()
		cpu = cpuTime() - cpu
		all := slices.Concat(times...)
		slices.Sort(all)
		log := s.LogStats()
		b.ReportMetric(float64(len(all))/float64(max(1, log.Syncs)), "msg/sync")
		b.ReportMetric(log.SyncTime.Seconds()*1000/float64(max(1, log.Syncs)), "sync-ms")
		b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "msg/s")
		b.ReportMetric(cpu.Seconds()*1e6/float64(len(all)), "cpu-us/msg")
		b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	})
}

// BenchmarkBacklog stores messages of 256 bytes for sessions that are away, opens the store again, and drains
// it. An operation is a message stored.
func BenchmarkBacklog(b *testing.B) {
	s, dir := benchStore(b, wal.Disk)
	ids := sessions(b, s, 1000)
	topic, payload := []byte("t"), make([]byte, 256)
	before := heap()
	for i := range b.N {
		if err := s.Append(session.NewMessage(topic, payload, 1<<41), ids[i%len(ids):][:1]); err != nil {
			b.Fatal(err)
		}
	}
	hold(b, s)
	b.StopTimer()
	b.ReportMetric(float64(heap()-before)/float64(b.N), "heap-B/msg")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}

	s, err := logstore.Open(dir, logstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	st, r := s.Stats(), s.Report()
	if r.Messages != b.N {
		b.Fatalf("%d messages came back of %d", r.Messages, b.N)
	}
	perMillion := 1e6 / float64(b.N)
	b.ReportMetric(r.Duration.Seconds()*1000*perMillion, "recovery-ms/M")
	b.ReportMetric(float64(st.MemoryBytes)/float64(b.N), "index-B/msg")

	start := time.Now()
	dst := make([]session.Stored, 100)
	changes := make([]session.Change, 0, len(dst))
	for _, id := range ids {
		for {
			n := s.Queue(id, 0, dst)
			if n == 0 {
				break
			}
			changes = changes[:0]
			for _, q := range dst[:n] {
				if _, err := s.Load(q.Ref); err != nil {
					b.Fatal(err)
				}
				changes = append(changes, session.Change{Kind: session.Done, Session: id, Ref: q.Ref})
			}
			s.Record(changes)
		}
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "drained/s")
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// cpuTime is the processor time that this process has used: unlike the rate, it does not depend on what else
// the machine does.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
