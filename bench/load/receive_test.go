package load

import (
	"fmt"
	"testing"

	"sampan/bench/proof"
)

// nowhere is a connection to nothing.
type nowhere struct{}

func (nowhere) Write([]byte) {}
func (nowhere) Backlog() int { return 0 }
func (nowhere) Close()       {}

// offline makes an engine with one lane whose clients seem to be online. The
// caller holds the lane's lock until the test ends.
func offline(t testing.TB, p Plan) *lane {
	e, err := New(p, Options{Addr: "127.0.0.1:1", Lanes: 1})
	if err != nil {
		t.Fatal(err)
	}
	l := e.lanes[0]
	l.Lock()
	t.Cleanup(func() {
		l.Unlock()
		e.Close()
	})
	for _, cl := range l.clients {
		cl.appear()
	}
	return l
}

// appear makes a client seem to be online.
func (cl *client) appear() *conn {
	cl.conn = &conn{client: cl, lane: cl.lane, wire: nowhere{}, phase: online}
	return cl.conn
}

// chunk appends what a broker sends for the next n messages of a stream.
func (s *stream) chunk(b []byte, n int) []byte {
	for range n {
		b = s.append(b, uint16(s.sent%identifiers+1), int64(s.sent/uint64(n)+1)*1000)
		s.sent++
	}
	return b
}

// TestReferenceChangesNothing gives the same bytes, right and wrong ones, to a
// receiver that compares with a reference and to one that does not, and
// expects the same counts.
func TestReferenceChangesNothing(t *testing.T) {
	for qos := range byte(2) {
		for flip := range 3 * (len("t/a") + 40 + 10) {
			var sums [2]Counters
			for way, copies := range []int{8, 1} {
				l := offline(t, fanout(copies, qos))
				s := l.streams[0]
				for range 5 {
					good := s.chunk(nil, 7)
					l.clients[0].conn.Data(good, 1)
					l.count = Counters{}
					bad := append([]byte{}, good...)
					if flip > 0 {
						bad[flip] ^= 0x11
					}
					victim := l.clients[copies-1]
					victim.trackers[0] = proof.Tracker{}
					victim.trackers[0].Advance(s.sent - 7)
					victim.conn.Data(bad, 1)
					victim.appear()
					sums[way].add(&l.count)
				}
				if way == 0 && l.references[s] == nil {
					t.Fatal("no reference is used")
				}
			}
			if sums[0] != sums[1] {
				t.Errorf("QoS %d, byte %d changed: with reference %+v, without %+v", qos, flip, sums[0], sums[1])
			}
		}
	}
}

// TestReferenceForgets has a receiver that is far behind the others.
func TestReferenceForgets(t *testing.T) {
	p := fanout(4, 0)
	p.Streams[0].Size = 1000
	l := offline(t, p)
	s := l.streams[0]
	var all []byte
	for range 50 {
		c := s.chunk(nil, 100)
		all = append(all, c...)
		for _, cl := range l.clients[:3] {
			cl.conn.Data(c, 1)
		}
		if n := len(l.references[s].bytes); n > referenceSize {
			t.Fatalf("%d bytes kept, want at most %d", n, referenceSize)
		}
	}
	if used := l.clients[3].conn.Data(all, 1); used != len(all) {
		t.Errorf("%d bytes used of %d", used, len(all))
	}
	if l.count.Delivered != 4*5000 {
		t.Errorf("%d delivered, want %d; %v", l.count.Delivered, 4*5000, l.engine.Faults())
	}
}

// TestReferencesAreBounded has many streams that go to all.
func TestReferencesAreBounded(t *testing.T) {
	const streams, receivers = 2000, 4
	p := Plan{Key: 5}
	for range receivers {
		p.Clients = append(p.Clients, Client{Filters: []string{"m/#"}, Streams: streams})
	}
	p.Clients = append(p.Clients, Client{})
	for i := range streams {
		p.Streams = append(p.Streams, Stream{From: receivers, Topic: fmt.Sprintf("m/%d", i), Size: 1000, Copies: receivers})
	}
	l := offline(t, p)
	for _, s := range l.streams {
		c := s.chunk(nil, 40)
		for _, cl := range l.clients[:receivers] {
			cl.conn.Data(c, 1)
		}
	}
	sum := 0
	for _, r := range l.references {
		sum += cap(r.bytes)
	}
	if sum > 2*referencesSize {
		t.Errorf("%d bytes kept of %d streams, want about %d", sum, streams, referencesSize)
	}
	if l.count.Delivered != streams*receivers*40 {
		t.Errorf("%d delivered; %v", l.count.Delivered, l.engine.Faults())
	}
}

// BenchmarkReceive is the generator's own cost for each message that it
// receives, without system calls, in bursts of 200 to 100 subscribers.
func BenchmarkReceive(b *testing.B) {
	for qos := range byte(2) {
		for _, size := range []int{64, 1024} {
			b.Run(fmt.Sprintf("fanout, QoS %d, %d bytes", qos, size), func(b *testing.B) {
				p := fanout(100, qos)
				p.Streams[0].Size = size
				benchmarkReceive(b, p, 100, 200)
			})
		}
		b.Run(fmt.Sprintf("pairs, QoS %d, 64 bytes", qos), func(b *testing.B) {
			p := pairs(100, qos)
			for i := range p.Streams {
				p.Streams[i].Size = 64
			}
			benchmarkReceive(b, p, 100, 8)
		})
	}
}

func benchmarkReceive(b *testing.B, p Plan, receivers, burst int) {
	l := offline(b, p)
	read, chunk := make([]byte, 512<<10), make([]byte, 0, 512<<10)
	for n := 0; n < b.N; n += receivers * burst {
		for i, cl := range l.clients[:receivers] {
			if i < len(l.streams) {
				chunk = l.streams[i].chunk(chunk[:0], burst)
			}
			// Reading copies the bytes to the lane's buffer.
			if used := cl.conn.Data(read[:copy(read, chunk)], 1<<40); used != len(chunk) {
				b.Fatalf("%d bytes used of %d; %v", used, len(chunk), l.engine.Faults())
			}
		}
	}
	b.ReportMetric(float64(l.count.Delivered)/float64(b.N), "delivered/op")
}
