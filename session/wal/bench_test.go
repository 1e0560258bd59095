//go:build unix

package wal_test

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sampan/session/wal"
	"sampan/session/wal/vfs"
)

// benchDir returns a directory on a disk: the temporary one may be in memory.
func benchDir(b *testing.B) string {
	dir, err := os.MkdirTemp(".", "bench-*.tmp")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// BenchmarkAppend has producers that append 256 bytes each, wait until that is durable, and go on. The
// raw rate of the disk is that of BenchmarkFdatasync.
func BenchmarkAppend(b *testing.B) {
	for _, level := range []wal.Level{wal.Disk, wal.OS} {
		for _, producers := range []int{1, 64, 1024, 8192} {
			b.Run(fmt.Sprintf("%v/%d", level, producers), func(b *testing.B) {
				l, err := wal.Open(benchDir(b), wal.Options{Level: level})
				if err != nil {
					b.Fatal(err)
				}
				defer l.Close()
				rec := make([]byte, 256)
				b.SetBytes(int64(len(rec)))
				var left atomic.Int64
				left.Store(int64(b.N))
				times := make([][]time.Duration, producers)
				var done sync.WaitGroup
				b.ResetTimer()
				cpu := cpuTime()
				for p := range producers {
					done.Go(func() {
						c := make(chan error, 1)
						answer := func(err error) { c <- err }
						for left.Add(-1) >= 0 {
							start := time.Now()
							pos, err := l.Append(rec)
							if err == nil {
								l.Sync(answer)
								err = <-c
							}
							if err != nil {
								b.Error(err)
								return
							}
							times[p] = append(times[p], time.Since(start))
							if pos.Offset() < 8192 {
								l.Truncate(pos)
							}
						}
					})
				}
				done.Wait()
				b.StopTimer()
				cpu = cpuTime() - cpu
				all := slices.Concat(times...)
				slices.Sort(all)
				st := l.Stats()
				b.ReportMetric(float64(len(all))/float64(max(1, st.Syncs)), "msg/sync")
				b.ReportMetric(st.SyncTime.Seconds()*1000/float64(max(1, st.Syncs)), "sync-ms")
				b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "msg/s")
				b.ReportMetric(cpu.Seconds()*1e6/float64(len(all)), "cpu-us/msg")
				b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
				b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
			})
		}
	}
}

// BenchmarkFdatasync is what the disk can do: 512 bytes written over what is there, and synced.
func BenchmarkFdatasync(b *testing.B) {
	fs, err := vfs.Dir(benchDir(b))
	if err != nil {
		b.Fatal(err)
	}
	f, err := fs.Open("raw", true)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(make([]byte, 16<<20), 0); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	block := make([]byte, 512)
	var times []time.Duration
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		if _, err := f.WriteAt(block, int64(i)*512%(16<<20)); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	b.ReportMetric(float64(len(times))/b.Elapsed().Seconds(), "syncs/s")
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
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
