package netx

import (
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sampan/broker/internal/block"
)

// wrapper is a Wrapper around ours.
type wrapper struct {
	net.Conn
	bare bool
}

func (w wrapper) Below() net.Conn { return w.Conn }
func (w wrapper) Bare() bool      { return w.bare }

// Adopt takes plain sockets, also from a Wrapper of which nothing is left, and nothing else.
func TestAdopt(t *testing.T) {
	p := poller(t, 1)
	o := &owner{got: make(chan []byte, 1)}
	pipe, _ := net.Pipe()
	tcp, theirs := connect(t, "tcp")
	for _, nc := range []net.Conn{pipe, wrapper{tcp, false}, wrapper{pipe, true}} {
		if s, plain, err := p.Adopt(nc, o); s != nil || plain || err != nil {
			t.Errorf("%T: %v %v", nc, plain, err)
		}
	}
	s, plain, err := p.Adopt(wrapper{tcp, true}, o)
	if !plain || err != nil {
		t.Fatal(plain, err)
	}
	defer s.Close()
	o.socket = s
	s.Park()
	if _, err := tcp.Write([]byte("x")); err == nil {
		t.Error("the connection that was adopted is still open")
	}
	theirs.Write([]byte("y"))
	if got := o.next(t); string(got) != "y" {
		t.Errorf("got %q", got)
	}
	theirs.Close()
	tcp, _ = connect(t, "tcp")
	tcp.Close()
	if _, plain, err := p.Adopt(tcp, o); !plain || err == nil {
		t.Errorf("a closed connection: %v %v", plain, err)
	}
}

// descriptors is how many the process has open, those of the Go runtime included.
func descriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// Sockets that stay are spread over the loops, also if as many that do not stay come between them.
func TestLoopsAreEquallyFull(t *testing.T) {
	for _, loops := range []int{1, 2, 3, 4, choices + 4} {
		const each = 6
		p := poller(t, loops)
		for range each * loops {
			for range loops - 1 {
				o, theirs := adopt(t, p, "unix")
				o.socket.Close()
				theirs.Close()
			}
			adopt(t, p, "unix")
		}
		least, most := each*loops, 0
		p.mu.Lock()
		for _, l := range p.loops {
			least, most = min(least, l.size()), max(most, l.size())
		}
		p.mu.Unlock()
		if loops <= choices && least != most || most > 2*each {
			t.Errorf("%d loops have between %d and %d sockets", loops, least, most)
		}
	}
}

// A Poller ends with its last socket after Close, takes nothing more, and leaves no descriptor behind.
func TestPollerClose(t *testing.T) {
	p := poller(t, 1) // the runtime's own descriptors are there from now on
	o, theirs := adopt(t, p, "tcp")
	o.socket.Close()
	theirs.Close()
	p.Close()
	before := descriptors(t)

	ended := make(chan struct{}, 3)
	p = NewPoller(func() {}, func() { ended <- struct{}{} })
	p.loops = make([]*loop, 3)
	var sockets []*Socket
	var others []net.Conn
	for range 6 {
		ours, theirs := connect(t, "tcp")
		s, _, err := p.Adopt(ours, &owner{closed: make(chan struct{})})
		if err != nil {
			t.Fatal(err)
		}
		s.Park()
		sockets, others = append(sockets, s), append(others, theirs)
	}
	p.Close()
	p.Close()
	ours, theirs := connect(t, "tcp")
	if _, plain, err := p.Adopt(ours, new(owner)); !plain || err != net.ErrClosed {
		t.Errorf("Adopt after Close: %v %v", plain, err)
	}
	ours.Close()
	theirs.Close()
	if len(ended) != 0 {
		t.Error("a loop has ended before its sockets")
	}
	for _, s := range sockets {
		s.Close()
		if err := s.Close(); err != net.ErrClosed {
			t.Errorf("closed again: %v", err)
		}
	}
	for _, nc := range others {
		nc.Close()
	}
	for range 3 {
		await(t, ended)
	}
	if n := descriptors(t); n > before {
		t.Errorf("%d descriptors, before there were %d", n, before)
	}
}

// A socket that is closed while it is parked tells its handler; one that is not, tells who parks it.
func TestCloseAndPark(t *testing.T) {
	p := poller(t, 1)
	o, _ := adopt(t, p, "tcp")
	o.socket.Park()
	o.socket.Close()
	await(t, o.closed)
	if o.socket.Park() {
		t.Error("parked after Close")
	}
	o, _ = adopt(t, p, "tcp")
	o.socket.Close()
	if o.socket.Park() {
		t.Error("parked after Close")
	}
	select {
	case <-o.closed:
		t.Error("told twice")
	default:
	}
	// Whoever is first, one of them hears of it.
	for range 300 {
		o, theirs := adopt(t, p, "unix")
		go o.socket.Close() // ends at once
		if o.socket.Park() {
			await(t, o.closed)
		}
		theirs.Close()
	}
}

// What nobody waits for is not reported again and again: a socket that is not parked has no events until it is.
func TestNotParked(t *testing.T) {
	o, theirs := adopt(t, poller(t, 1), "tcp")
	s := o.socket
	reported := make(chan struct{}, 1000)
	o.readable = func(*Turn) { reported <- struct{}{} }
	s.Park()
	theirs.Write([]byte("x"))
	await(t, reported) // and does not park again
	for until := time.Now().Add(patience); ; {
		s.mu.Lock()
		armed := s.armed
		s.mu.Unlock()
		if armed == 0 {
			break
		}
		if time.Now().After(until) {
			t.Fatal("epoll goes on reporting")
		}
	}
	theirs.Close()
	s.Park()
	await(t, reported)
	if len(reported) != 0 {
		t.Error("called while it was not parked")
	}
}

// A handler that waits has left before: the other sockets of its loop go on.
func TestLeave(t *testing.T) {
	p := poller(t, 1)
	slow, toSlow := adopt(t, p, "tcp")
	quick, toQuick := adopt(t, p, "tcp")
	goOn, gone := make(chan struct{}), make(chan struct{})
	slow.readable = func(turn *Turn) {
		turn.Leave()
		turn.Leave()
		<-goOn
		slow.readable = nil
		slow.socket.Park()
		close(gone)
	}
	slow.socket.Park()
	quick.socket.Park()
	for range 100 {
		toSlow.Write([]byte("s"))
		toQuick.Write([]byte("q"))
		if got := quick.next(t); string(got) != "q" {
			t.Fatalf("got %q", got)
		}
	}
	close(goOn)
	<-gone
	if got := slow.next(t); len(got) == 0 {
		t.Error("nothing left for the slow one")
	}
	(*Turn)(nil).Leave() // on a goroutine of no Poller
}

// A socket that always has input does not keep the others from being handled.
func TestStarvation(t *testing.T) {
	p := poller(t, 1)
	busy, toBusy := adopt(t, p, "tcp")
	busy.readable = func(*Turn) {
		buf, _, err := busy.socket.Read(nil)
		if err == nil {
			block.Put(buf)
			busy.socket.Park()
		}
	}
	busy.socket.Park()
	go func() { // ends when the connection is closed
		for chunk := make([]byte, 1<<20); ; {
			if _, err := toBusy.Write(chunk); err != nil {
				return
			}
		}
	}()
	quiet, toQuiet := adopt(t, p, "tcp")
	quiet.socket.Park()
	for range 200 {
		toQuiet.Write([]byte("x"))
		quiet.next(t)
	}
}

// An event that was reported for one socket is not taken for another that has its descriptor since, neither
// when epoll's report has been looked at already nor when it has not.
func TestReuse(t *testing.T) {
	for _, seen := range []bool{false, true} {
		p := poller(t, 1)
		first, toFirst := adopt(t, p, "unix")
		second, toSecond := adopt(t, p, "unix")
		ready, goOn := make(chan struct{}), make(chan struct{})
		hold := func(*Turn) {
			ready <- struct{}{}
			<-goOn
		}
		// Both are ready when the loop looks again.
		first.readable = hold
		first.socket.Park()
		toFirst.Write([]byte("x"))
		<-ready
		if seen {
			// The loop holds an event for second, behind another of first.
			first.socket.Park()
			second.socket.Park()
			toSecond.Write([]byte("x"))
			goOn <- struct{}{}
			<-ready
		} else {
			l := p.loops[0]
			second.socket.Park()
			l.mu.Lock() // the loop has its events, and does not know whose they are
			toSecond.Write([]byte("x"))
			goOn <- struct{}{}
			for {
				var events [1]unix.EpollEvent
				if n := poll(l.epoll, events[:]); n > 0 {
					break
				}
			}
			l.known[second.socket.fd] = nil
			l.mu.Unlock()
		}
		ours, toThird := connect(t, "unix")
		old := second.socket.fd
		second.socket.Close()
		await(t, second.closed)
		occupy(t, old) // the lowest that is free is the next
		third := own(t, p, ours, toThird)
		if third.socket.fd != old {
			t.Fatalf("the new socket has descriptor %d, not %d", third.socket.fd, old)
		}
		third.socket.Park()
		first.readable = nil
		if seen {
			goOn <- struct{}{}
		}
		toThird.Write([]byte("third"))
		if got := third.next(t); string(got) != "third" {
			t.Errorf("got %q", got)
		}
	}
}

// Thousands of sockets with all that can happen to them at once: everything arrives where it belongs.
func TestMany(t *testing.T) {
	sockets := 2000
	if testing.Short() {
		sockets = 300
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil && limit.Cur < uint64(2*sockets+200) {
		t.Skipf("only %d descriptors", limit.Cur)
	}
	p := poller(t, 2)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	for i := range sockets {
		o, theirs := adopt(t, p, "unix")
		open = append(open, theirs)
		o.readable = func(turn *Turn) {
			buf, n, err := o.socket.Read(nil)
			if err != nil {
				o.socket.Close()
				return
			}
			if i%7 == 0 {
				turn.Leave()
			}
			if n > 0 {
				o.socket.TryWrite([][]byte{fmt.Appendf(nil, "%d:%s", i, buf[:n])})
				block.Put(buf)
			}
			o.socket.Park()
		}
		o.socket.Park()
	}
	for g := range 8 {
		wg.Go(func() {
			answer := make([]byte, 100)
			for round := range 5 {
				for i := g; i < len(open); i += 8 {
					mu.Lock()
					nc := open[i]
					mu.Unlock()
					nc.SetDeadline(time.Now().Add(patience))
					question := fmt.Sprintf("round %d of %d", round, i)
					nc.Write([]byte(question))
					n, err := nc.Read(answer)
					if want := fmt.Sprintf("%d:%s", i, question); err != nil || string(answer[:n]) != want {
						t.Errorf("got %q, %v; want %q", answer[:n], err, want)
						return
					}
					if round == i%5 {
						nc.Close()
						next, theirs := adopt(t, p, "unix")
						next.readable = func(*Turn) {
							buf, n, err := next.socket.Read(nil)
							if err != nil {
								next.socket.Close()
								return
							}
							if n > 0 {
								next.socket.TryWrite([][]byte{fmt.Appendf(nil, "%d:%s", i, buf[:n])})
								block.Put(buf)
							}
							next.socket.Park()
						}
						next.socket.Park()
						mu.Lock()
						open[i] = theirs
						mu.Unlock()
					}
				}
			}
		})
	}
	wg.Wait()
}
