package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sampan/broker/brokertest"
	"sampan/packet"
)

// The backlog: what waits for a client that is away, and what the broker may take of memory meanwhile.
const (
	backlogMessages = 9_000
	backlogPayload  = 32 << 10 // bytes
	backlogLimit    = 256 << 20
	backlogResident = 160 << 20
)

// limited starts a broker that the kernel gives no more than backlogLimit of writable memory, its threads' stacks and
// what the collector has not got round to included: with more, it dies. It knows of half of that.
func limited(t *testing.T, dir string) *served {
	t.Helper()
	words := append([]string{"sh", "-c", `ulimit -d "$0" && GOMEMLIMIT=$(($0 / 2))KiB exec "$@"`, strconv.Itoa(backlogLimit >> 10)}, serveWords(dir, "os")...)
	s, log := serveBy(t, append(words, "--queue-bytes", "1GiB")...)
	if s == nil {
		t.Fatal(log)
	}
	return s
}

// resident is the most memory that the broker has had so far, in bytes.
func (s *served) resident() int64 {
	s.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.command.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if kilobytes, found := strings.CutPrefix(line, "VmHWM:"); found {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kilobytes), "kB")), 10, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return n << 10
		}
	}
	s.t.Fatalf("no VmHWM in\n%s", status)
	return 0
}

// fillBacklog publishes the backlog, with so many messages on their way to their PUBACK.
func fillBacklog(t *testing.T, pub *brokertest.Client) {
	t.Helper()
	const ahead = 64
	payload := make([]byte, backlogPayload)
	for i := range backlogMessages + ahead {
		if i < backlogMessages {
			binary.BigEndian.PutUint32(payload, uint32(i))
			pub.Send(brokertest.Publish("a/b", string(payload), 1, uint16(i+1)))
		}
		if i >= ahead {
			pub.Expect(brokertest.Puback(uint16(i - ahead + 1)))
		}
	}
}

// takeBacklog receives and acknowledges the whole backlog, in its order.
func takeBacklog(c *brokertest.Client) error {
	for i := range backlogMessages {
		f, err := c.Receive()
		if err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		var p packet.Publish
		if err := p.Decode(f, nil); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		if len(p.Payload) != backlogPayload || binary.BigEndian.Uint32(p.Payload) != uint32(i) || p.Dup {
			return fmt.Errorf("got message %d of %d bytes, DUP %v, instead of message %d", binary.BigEndian.Uint32(p.Payload), len(p.Payload), p.Dup, i)
		}
		if err := c.TrySend(brokertest.Puback(p.ID)); err != nil {
			return err
		}
	}
	return nil
}

// A backlog that is larger than the broker's memory is stored, recovered after a kill, and read back in order,
// while clients that are online are served as ever.
func TestABacklogIsLargerThanTheMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes and reads some 300 MB; and the race detector needs more memory than the broker gets")
	}
	dir := t.TempDir()
	s := limited(t, dir)
	fillBacklog(t, s.leave())
	filled := s.resident()
	s.command.Process.Signal(syscall.SIGKILL)
	s.command.Wait()

	s = limited(t, dir)
	recovered := s.resident()
	sub := s.dial()
	sub.Connect("sub")
	sub.Subscribe("online", 1)
	pub := s.dial()
	pub.Connect("pub")
	away := s.dial()
	if !away.Connect("away", brokertest.Persistent) {
		t.Fatal("the session is gone")
	}
	began := time.Now()
	taken := make(chan error, 1)
	go func() { taken <- takeBacklog(away) }() // ends with the backlog, or the connection
	trips, longest := 0, time.Duration(0)
	for taking := true; taking; trips++ {
		start := time.Now()
		pub.Publish("online", fmt.Sprint(trips), 1)
		sub.Expect(brokertest.Publish("online", fmt.Sprint(trips), 1, uint16(trips%65535+1)))
		sub.Send(brokertest.Puback(uint16(trips%65535 + 1)))
		longest = max(longest, time.Since(start))
		select {
		case err := <-taken:
			if err != nil {
				t.Fatal(err)
			}
			taking = false
		default:
		}
	}
	took := time.Since(began)
	drained := s.resident()
	t.Logf("%d MB in %v; meanwhile %d messages between others, the slowest in %v; resident at most %d MB while filled, %d MB while recovered, %d MB while drained",
		backlogMessages*backlogPayload>>20, took, trips, longest, filled>>20, recovered>>20, drained>>20)
	// Were others behind the backlog, none of theirs would come before its end.
	if trips < 50 {
		t.Errorf("only %d messages went between others while the backlog was read back", trips)
	}
	for when, n := range map[string]int64{"filled": filled, "recovered": recovered, "drained": drained} {
		if n > backlogResident {
			t.Errorf("while it was %s, the broker took %d MB of memory", when, n>>20)
		}
	}
	if code := s.stop(); code != 0 {
		t.Errorf("exit status %d\n%s", code, s.log)
	}
}
