package wire

import (
	"context"
	"net"
	"sync"
	"time"
)

// streamChunk is the size of a connection's read buffer on a streamed lane:
// what one TLS record holds at most.
const streamChunk = 16 << 10

// closeTime bounds the sending of what is pending when a connection is closed.
const closeTime = time.Second

// streamed is a lane of net.Conn, each with a goroutine that reads and one
// that writes.
type streamed struct {
	mu     sync.Mutex // guards the fields up to the blank line
	work   Work
	conns  map[*stream]struct{}
	load   Load
	closed bool

	clock  Clock
	wake   chan struct{} // capacity 1
	ctx    context.Context
	cancel context.CancelFunc
	all    sync.WaitGroup // every goroutine of the lane
}

// NewStreamed starts a lane for connections of any kind.
func NewStreamed(clock Clock, work Work) Lane {
	l := &streamed{
		clock: clock, work: work, conns: make(map[*stream]struct{}),
		wake: make(chan struct{}, 1),
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	// It ends with the context, which Stop cancels.
	l.all.Go(l.run)
	return l
}

func (l *streamed) Lock() { l.mu.Lock() }

func (l *streamed) Unlock() {
	l.mu.Unlock()
	l.Wake()
}

func (l *streamed) Wake() {
	select {
	case l.wake <- struct{}{}:
	default: // one is waiting already
	}
}

func (l *streamed) Load() Load { return l.load }

func (l *streamed) Stop() {
	l.mu.Lock()
	l.closed = true
	for s := range l.conns {
		s.Close()
	}
	l.mu.Unlock()
	l.cancel()
	l.all.Wait()
}

// run gives the work its turns.
func (l *streamed) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-l.wake:
		case <-timer.C:
		}
		l.mu.Lock()
		now := l.clock.Now()
		next := l.work.Turn(now)
		l.load.Busy += time.Duration(l.clock.Now() - now)
		l.mu.Unlock()
		timer.Reset(time.Duration(next - now))
	}
}

// stream is a connection of a streamed lane.
type stream struct {
	lane    *streamed // whose lock guards the fields
	handler Handler
	conn    net.Conn      // nil until it is open
	pending []byte        // for the writer
	more    chan struct{} // capacity 1: there is something pending
	closed  bool
	ctx     context.Context // ends the dialling
	cancel  context.CancelFunc
}

func (l *streamed) Dial(e Endpoint, h Handler) Conn {
	s := &stream{lane: l, handler: h, more: make(chan struct{}, 1)}
	s.ctx, s.cancel = context.WithCancel(l.ctx)
	if l.closed {
		s.Close()
		return s
	}
	l.conns[s] = struct{}{}
	// The reader ends when the connection is closed, by Stop at the latest.
	l.all.Go(func() { s.read(e) })
	return s
}

// Open makes the connection that the endpoint asks for.
func (e Endpoint) Open(ctx context.Context) (net.Conn, error) {
	switch {
	case e.Dial != nil:
		return e.Dial(ctx)
	case e.Unix != "":
		return e.openUnix(ctx)
	}
	d := new(net.Dialer)
	if e.Source.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: e.Source.AsSlice()}
	}
	return d.DialContext(ctx, "tcp", e.Addr.String())
}

// openUnix connects to a Unix socket as soon as it has room.
func (e Endpoint) openUnix(ctx context.Context) (net.Conn, error) {
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", e.Unix)
		if !isFull(e, err) {
			return conn, err
		}
		select {
		case <-time.After(fullRetry):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// read dials and then reads until the end.
func (s *stream) read(e Endpoint) {
	l := s.lane
	conn, err := e.Open(s.ctx)
	l.mu.Lock()
	if err != nil {
		s.fail(unopened(err))
		l.Unlock()
		return
	}
	if s.closed {
		l.mu.Unlock()
		conn.Close()
		return
	}
	s.conn = conn
	// The writer ends when more is closed, by Close.
	l.all.Go(s.write)
	s.handler.Opened(l.clock.Now())
	l.Unlock()

	buf, have := make([]byte, streamChunk), 0
	for {
		n, err := conn.Read(buf[have:])
		l.mu.Lock()
		began := l.clock.Now()
		l.load.Reads++
		l.load.In += uint64(n)
		if n > 0 && !s.closed {
			have += n
			used := s.handler.Data(buf[:have], began)
			have = copy(buf, buf[used:have])
			if have > len(buf)/2 {
				buf = append(buf, make([]byte, len(buf))...)
			}
		}
		if err != nil {
			s.fail(err)
		}
		closed := s.closed
		l.load.Busy += time.Duration(l.clock.Now() - began)
		l.Unlock()
		if closed {
			return
		}
	}
}

// write sends what Write left, until the connection is closed.
func (s *stream) write() {
	l := s.lane
	var out []byte
	for range s.more {
		l.mu.Lock()
		out, s.pending = s.pending, out[:0]
		l.load.Writes++
		l.load.Out += uint64(len(out))
		l.mu.Unlock()
		_, err := s.conn.Write(out)
		if cap(out) > keep {
			out = nil
		}
		l.mu.Lock()
		switch {
		case err != nil:
			s.fail(err)
		case len(s.pending) == 0 && !s.closed:
			s.handler.Drained(l.clock.Now())
		}
		l.Unlock()
	}
	s.conn.Close()
}

func (s *stream) Write(p []byte) {
	if s.closed {
		return
	}
	s.pending = append(s.pending, p...)
	select {
	case s.more <- struct{}{}:
	default: // the writer has not yet looked
	}
}

func (s *stream) Backlog() int { return len(s.pending) }

// fail closes the connection and tells the handler, unless it was closed.
func (s *stream) fail(err error) {
	if s.closed {
		return
	}
	s.pending = nil
	s.Close()
	s.handler.Closed(err, s.lane.clock.Now())
}

// Close leaves it to the writer to send what is pending and to close the
// connection, within closeTime.
func (s *stream) Close() {
	if s.closed {
		return
	}
	s.closed = true
	s.cancel()
	close(s.more)
	delete(s.lane.conns, s)
	if s.conn != nil {
		s.conn.SetReadDeadline(time.Now())
		s.conn.SetWriteDeadline(time.Now().Add(closeTime))
	}
}
