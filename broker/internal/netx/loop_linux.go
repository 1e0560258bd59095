package netx

import (
	"os"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// loop is one goroutine of a Poller with its epoll instance. It is not always the same goroutine: one that has
// to wait for something leaves, and another goes on in its place (Turn.Leave).
type loop struct {
	poller  *Poller
	sockets int // that belong to the loop, parked or not; guarded by poller.mu
	guests  int // of these, those that are to settle on another loop; likewise
	wake    int // an eventfd that is readable when the loop is to end

	epoll int
	file  *os.File // epoll as the runtime knows it
	raw   syscall.RawConn
	poll  func(uintptr) bool // looks for events without waiting

	// What epoll has reported last: count events, of which those before at have been handled. They belong to
	// the goroutine that runs the loop.
	events    [maxEvents]unix.EpollEvent
	ready     [maxEvents]*Socket
	count, at int
	calls     []*Listener // at which connections wait

	mu        sync.Mutex  // guards what follows
	known     []*Socket   // by descriptor
	gen       int32       // of the last descriptor made known
	listeners []*Listener // their events carry -1 minus the place; nil: a free place
}

// maxEvents is how many sockets are taken from epoll at once.
const maxEvents = 128

func newLoop(p *Poller) (*loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create", err)
	}
	l := &loop{poller: p, epoll: epoll}
	if err = unix.SetNonblock(epoll, true); err == nil { // so that the runtime watches it
		l.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	}
	if err != nil {
		unix.Close(epoll)
		return nil, os.NewSyscallError("eventfd", err)
	}
	l.file = os.NewFile(uintptr(epoll), "epoll")
	l.poll = func(uintptr) bool {
		l.count = poll(l.epoll, l.events[:])
		return l.count > 0
	}
	err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, l.wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(l.wake)})
	if err == nil {
		l.raw, err = l.file.SyscallConn()
	}
	if err != nil {
		l.close()
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	return l, nil
}

// Turn is what a Handler is called in: the loop's goroutine handles one socket.
type Turn struct {
	loop *loop
	left bool
}

// Leave separates the goroutine from its loop, which goes on without it: the caller may wait from now on, and
// what it does holds nobody up. It does nothing on a goroutine that has left already, or on none of a Poller's,
// whose Turn is nil.
func (t *Turn) Leave() {
	if t == nil || t.left {
		return
	}
	t.left = true
	go t.loop.run()
}

// run handles events until the loop has come to its end, or a handler has left.
func (l *loop) run() {
	t := Turn{loop: l}
	for {
		for l.at < l.count {
			s, events := l.ready[l.at], l.events[l.at].Events
			l.ready[l.at] = nil
			l.at++
			if s != nil && s.event(events) {
				s.handler.Readable(&t)
				if t.left {
					return
				}
			}
		}
		for n := len(l.calls); n > 0; n = len(l.calls) {
			ln := l.calls[n-1]
			l.calls = l.calls[:n-1]
			if ln.handler.Readable(&t); t.left {
				return
			}
		}
		if !l.wait() {
			l.close()
			l.poller.ended()
			return
		}
	}
}

// wait waits for events. It reports false when the loop has come to its end.
func (l *loop) wait() bool {
	l.at, l.count = 0, 0
	l.park()
	end := false
	l.mu.Lock()
	for i := range l.events[:l.count] {
		e := &l.events[i]
		if e.Fd < 0 {
			if ln := l.listeners[-1-e.Fd]; ln != nil && ln.parked {
				ln.parked = false
				l.calls = append(l.calls, ln)
			}
		} else if int(e.Fd) == l.wake {
			end = true
		} else if s := l.known[e.Fd]; s != nil && s.gen == e.Pad {
			l.ready[i] = s
		}
	}
	l.mu.Unlock()
	return !end
}

// park waits as goroutines do: the processor is free for others meanwhile, and the runtime wakes the loop. To wait
// in epoll itself would keep from running what this very loop has made ready, such as the caller of a device that
// has answered.
func (l *loop) park() {
	if l.raw.Read(l.poll) != nil {
		// The runtime cannot watch an epoll instance here.
		n, _ := unix.EpollWait(l.epoll, l.events[:], -1)
		l.count = max(0, n) // EINTR
	}
}

// interrupt ends the loop. Called with poller.mu held, once, when it has no sockets and will get none.
func (l *loop) interrupt() { unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

func (l *loop) close() {
	l.file.Close()
	unix.Close(l.wake)
}

// learn makes a socket known by its descriptor. An event carries the socket's generation, so that one reported
// for a descriptor that was closed and given to another socket meanwhile is told apart.
func (l *loop) learn(s *Socket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for int(s.fd) >= len(l.known) {
		l.known = append(l.known, nil)
	}
	l.known = l.known[:cap(l.known)]
	l.gen++
	s.gen = l.gen
	l.known[s.fd] = s
}

// forget is called before the socket's descriptor is closed.
func (l *loop) forget(s *Socket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if int(s.fd) < len(l.known) && l.known[s.fd] == s {
		l.known[s.fd] = nil
	}
}

// introduce makes a listener known.
func (l *loop) introduce(ln *Listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ln.place = slices.Index(l.listeners, nil); ln.place < 0 {
		ln.place = len(l.listeners)
		l.listeners = append(l.listeners, nil)
	}
	l.listeners[ln.place] = ln
}

// disown is called when the listener is not watched any more. It reports false if it was not before.
func (l *loop) disown(ln *Listener) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listeners[ln.place] != ln {
		return false
	}
	l.listeners[ln.place] = nil
	return true
}
