// Package proc reads what a group of processes uses: processor time, memory,
// and how long they had to wait for a processor. It reads /proc of Linux; on
// other systems every call returns ErrUnsupported.
package proc

import (
	"errors"
	"os"
	"time"
)

// ErrEnded says that there is no process any more.
var ErrEnded = errors.New("proc: no process is running")

// ErrUnsupported says that this system does not tell.
var ErrUnsupported = errors.New("proc: only Linux tells what a process uses")

// Usage is what the processes of a group have used since they began, and the
// memory that they have now.
type Usage struct {
	// CPU is the processor time of all threads, also of those that ended. User
	// and System are its parts, which the system counts more coarsely.
	CPU, User, System time.Duration
	// Waited is how long the threads that are there now were ready to run and
	// had no processor.
	Waited time.Duration
	// Ran is the processor time of each thread that is there now, by its id.
	Ran map[int]time.Duration
	// Threads is the number of threads.
	Threads int
	// Processors is how many processors the group may use.
	Processors int
	// RSS is the resident memory in bytes, PSS the same with shared pages
	// divided among those who share them; 0 if the system does not tell.
	RSS, PSS uint64
	// Files is the number of open files and sockets; 0 if it may not be read.
	Files int
}

// Busiest is the processor time of the thread that has used the most since an
// earlier reading.
func (u *Usage) Busiest(earlier *Usage) (most time.Duration) {
	for id, ran := range u.Ran {
		if before := earlier.Ran[id]; before <= ran { // else another one had the id
			ran -= before
		}
		most = max(most, ran)
	}
	return most
}

// Group is a set of processes, and those that they have started.
type Group struct {
	roots []int
	alone bool      // without those that they have started
	known []process // those that ran at the last Read
}

// process is one of them.
type process struct {
	pid   int
	statm *os.File // nil: may not be read
}

// NewGroup makes a group of processes by their ids.
func NewGroup(pids ...int) *Group { return &Group{roots: pids} }

// Close gives back what Read holds open.
func (g *Group) Close() {
	for _, p := range g.known {
		p.statm.Close() // nil, too
	}
	g.known = nil
}

// Alone makes a group of one process, without those that it has started.
func Alone(pid int) *Group { return &Group{roots: []int{pid}, alone: true} }
