package proc

import (
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Pin keeps this whole process on some processors, and the Go scheduler to as
// many threads at a time, until the returned function is called. Without cpus
// it does nothing.
func Pin(cpus []int) (unpin func(), err error) {
	if len(cpus) == 0 {
		return func() {}, nil
	}
	before, err := Allowed()
	if err != nil {
		return nil, err
	}
	if err := pinThreads(cpus); err != nil {
		pinThreads(before)
		return nil, fmt.Errorf("proc: run on processors %v: %w", cpus, err)
	}
	procs := runtime.GOMAXPROCS(len(cpus))
	return func() {
		runtime.GOMAXPROCS(procs)
		pinThreads(before)
	}, nil
}

// Realtime reports whether this process has real-time priority, as chrt -r 1
// gives it, and hands it to what it starts: then nothing else on the machine
// takes a processor from either.
func Realtime() bool {
	own, err := unix.SchedGetAttr(0, 0)
	return err == nil && (own.Policy == unix.SCHED_RR || own.Policy == unix.SCHED_FIFO)
}

// Allowed lists the processors that this process may use.
func Allowed() (cpus []int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(os.Getpid(), &set); err != nil {
		return nil, fmt.Errorf("proc: %w", os.NewSyscallError("sched_getaffinity", err))
	}
	for cpu := 0; len(cpus) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// pinThreads sets the processors of every thread. A new one inherits those of
// the thread that makes it, so a second look finds those that were made during
// the first.
func pinThreads(cpus []int) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	for range 2 {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		for _, t := range threads {
			tid, err := strconv.Atoi(t.Name())
			if err != nil {
				continue
			}
			if err := unix.SchedSetaffinity(tid, &set); err != nil && err != unix.ESRCH {
				return os.NewSyscallError("sched_setaffinity", err)
			}
		}
	}
	return nil
}
