package wire

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sampan/bench/raw"
)

const (
	// chunk is the size of the one read buffer of a lane. A read that fills it
	// brings thousands of small messages; it grows only for a longer frame.
	chunk = 256 << 10
	// batch is the number of ready connections asked for at once.
	batch = 512
)

// ended is told once: the peer will send no more, or the connection failed.
const ended = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR

// polled is a lane of raw sockets around one epoll instance.
type polled struct {
	mu      sync.Mutex // guards the fields up to the blank line
	work    Work
	slots   []*socket // what epoll calls a connection by
	free    []int32
	turn    int32     // of the newest socket
	refused []*socket // could not even begin to connect; not yet told
	full    []waiting // for room in the queue of a Unix socket
	buf     []byte
	load    Load
	slept   int64 // when the wait began that is under way, else 0
	closed  bool

	clock  Clock
	epoll  int
	bell   int         // eventfd that ends a wait
	asleep atomic.Bool // a wait has begun or is about to
	rung   atomic.Bool // somebody has called Wake since the last turn began
	done   chan struct{}
}

// NewPolled starts a lane with its own epoll loop on a thread of its own.
func NewPolled(clock Clock, work Work) (Lane, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("wire: epoll: %w", err)
	}
	bell, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err == nil {
		event := unix.EpollEvent{Events: unix.EPOLLIN}
		err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, bell, &event)
	}
	if err != nil {
		unix.Close(epoll)
		unix.Close(bell)
		return nil, fmt.Errorf("wire: eventfd: %w", err)
	}
	l := &polled{
		clock: clock, work: work, buf: make([]byte, chunk),
		slots: make([]*socket, 1), // slot 0 is the bell
		epoll: epoll, bell: bell, done: make(chan struct{}),
	}
	l.load.Busy = -time.Duration(clock.Now())
	// The loop ends after Stop has rung the bell.
	go l.run()
	return l, nil
}

func (l *polled) Lock() { l.mu.Lock() }

func (l *polled) Unlock() {
	l.mu.Unlock()
	l.Wake()
}

// Wake ends the loop's wait, if it waits or is about to. Whoever comes before
// asleep is set leaves rung behind, and the loop does not sleep; whoever comes
// after it rings.
func (l *polled) Wake() {
	if l.rung.CompareAndSwap(false, true) && l.asleep.Load() {
		// It can only fail for a full counter, and that wakes as well.
		unix.Write(l.bell, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// Load books the time that has passed as busy; waits have been taken off.
func (l *polled) Load() Load {
	load := l.load
	now := l.clock.Now()
	load.Busy += time.Duration(now)
	if l.slept != 0 {
		load.Busy -= time.Duration(now - l.slept)
	}
	return load
}

func (l *polled) Stop() {
	l.mu.Lock()
	l.closed = true
	l.Unlock()
	<-l.done
}

// run is the loop.
func (l *polled) run() {
	// The thread is never unlocked, so it ends with the goroutine.
	runtime.LockOSThread()
	events := make([]unix.EpollEvent, batch)
	wait := raw.NewWaiter(l.epoll)
	l.mu.Lock()
	for !l.closed {
		l.rung.Store(false)
		next := l.work.Turn(l.clock.Now())
		if len(l.full) > 0 {
			l.retry()
			next = min(next, l.clock.Now()+int64(fullRetry))
		}
		if len(l.refused) > 0 {
			l.tellRefused()
			next = 0 // others may have to do now; and who asks for the lock gets it before the next turn
		}
		l.slept = l.clock.Now()
		l.asleep.Store(true)
		l.mu.Unlock()

		d := time.Duration(next - l.slept)
		if l.rung.Load() {
			d = 0
		}
		n, slept := wait.Wait(events, d)

		l.asleep.Store(false)
		l.mu.Lock()
		if slept {
			l.load.Busy -= time.Duration(l.clock.Now() - l.slept)
		}
		l.slept = 0
		for _, e := range events[:n] {
			l.event(e)
		}
	}
	for _, s := range l.slots {
		if s != nil {
			s.Close()
		}
	}
	unix.Close(l.epoll)
	unix.Close(l.bell)
	l.mu.Unlock()
	close(l.done)
}

// event handles what epoll reported about one slot. Events are told once for
// each change (EPOLLET), so everything that is there is taken.
func (l *polled) event(e unix.EpollEvent) {
	if e.Fd == 0 {
		var count [8]byte
		unix.Read(l.bell, count[:])
		return
	}
	s := l.slots[e.Fd]
	if s == nil || s.turn != e.Pad {
		return // closed by an earlier event of this batch
	}
	if !s.open && !s.connected() {
		return
	}
	if e.Events&unix.EPOLLOUT != 0 && len(s.pending) > 0 {
		s.flush()
	}
	if e.Events&(unix.EPOLLIN|ended) != 0 {
		s.read(e.Events&ended != 0)
	}
}

// tellRefused tells those whose connection could not begin.
func (l *polled) tellRefused() {
	refused := l.refused
	l.refused = nil
	for _, s := range refused {
		if !s.closed {
			s.fail(s.err)
		}
	}
}

// waiting is a connection that is still to be made.
type waiting struct {
	*socket
	to Endpoint
}

// retry tries those again whose Unix socket had no room in its queue.
func (l *polled) retry() {
	full := l.full
	l.full = nil
	for _, s := range full {
		if !s.closed {
			unix.Close(s.fd)
			s.fd = -1
			s.begin(s.to)
		}
	}
}
