package network

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sampan/fuzz/model"
	"sampan/fuzz/script"
	"sampan/packet"
)

// mortal is a way to a broker that dies of a packet of one type, with all connections.
type mortal struct {
	dial Dialer
	of   packet.Type

	mu    sync.Mutex // guards what follows
	dead  bool
	conns []net.Conn
	times int // it was restarted
}

func (m *mortal) connect(ctx context.Context) (net.Conn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	nc, err := m.dial(ctx)
	if err == nil {
		m.conns = append(m.conns, nc)
	}
	return mortalConn{nc, m}, err
}

func (m *mortal) restart(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.die()
	m.dead = false
	m.times++
	return nil
}

// die is called with mu held.
func (m *mortal) die() {
	m.dead = true
	for _, nc := range m.conns {
		nc.Close()
	}
	m.conns = nil
}

type mortalConn struct {
	net.Conn
	m *mortal
}

func (c mortalConn) Write(b []byte) (int, error) {
	if typeOf(b) == c.m.of {
		c.m.mu.Lock()
		defer c.m.mu.Unlock()
		c.m.die()
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// kills reports whether a script has a packet that the broker dies of.
func kills(t *testing.T, text string, of packet.Type) bool {
	for _, st := range parse(t, text).Steps {
		if st.Kind == script.Send && typeOf(st.Raw) == of {
			return true
		}
	}
	return false
}

func TestCrashIsReportedWithItsScript(t *testing.T) {
	for name, restarts := range map[string]bool{"nobody restarts it": false, "it can be restarted": true} {
		t.Run(name, func(t *testing.T) {
			b := &modelBroker{rules: model.Standard()}
			m := &mortal{dial: b.start(t), of: packet.TypeUnsubscribe}
			told := 0
			c := &Campaign{Dial: m.connect, Rules: b.rules, Patience: 5 * time.Second, Duration: 10 * time.Minute, Scripts: 200, Seed: 7,
				Found: func(*Finding) { told++ }}
			if restarts {
				c.Restart = m.restart
			}
			report, err := c.Run(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Deviations) != 1 || report.Deviations[0].Rule != "crash" || told != 1 {
				t.Fatalf("want one crash, got %d findings, %d told: %+v", len(report.Deviations), told, report.Deviations)
			}
			f := report.Deviations[0]
			if !kills(t, f.Script, m.of) {
				t.Errorf("not the script that does it, and %d others:\n%s", len(f.Earlier), f.Script)
			}
			if f.Repeats != restarts || restarts && (len(parse(t, f.Script).Steps) > 2 || len(f.Earlier) > 0 || m.dead) {
				t.Errorf("repeats %t, the broker left dead %t, %d others, script\n%s", f.Repeats, m.dead, len(f.Earlier), f.Script)
			}
		})
	}
}

// A broker that lives on for some scripts, and dies then, is not reported with the last of them alone.
func TestSuspectsOfACrash(t *testing.T) {
	b := &modelBroker{rules: model.Standard()}
	guilty := parse(t, "profile standard\nA connect alice clean keepalive 60\nA unsubscribe 1 a\n")
	innocent := parse(t, "profile standard\nA connect bob clean keepalive 60\n")
	for name, restarts := range map[string]bool{"nobody restarts it": false, "it can be restarted": true} {
		t.Run(name, func(t *testing.T) {
			m := &mortal{dial: b.start(t), of: packet.TypeUnsubscribe}
			c := &Campaign{Dial: m.connect, Rules: b.rules, Patience: 5 * time.Second}
			if restarts {
				c.Restart = m.restart
			}
			r := c.begin()
			defer r.birds.close()
			if h := r.check(t.Context()); h != nil {
				t.Fatal(h)
			}
			m.restart(t.Context())
			m.die()
			r.suspects = []*script.Script{innocent, guilty, innocent}
			r.unwell(t.Context(), r.check(t.Context()))
			f := r.report.Deviations[0]
			switch {
			case f.Rule != "crash":
				t.Errorf("%+v", f)
			case restarts && (!kills(t, f.Script, m.of) || !f.Repeats || len(f.Earlier) > 0):
				t.Errorf("with a restart: %+v", f)
			case !restarts && (f.Script != innocent.String() || len(f.Earlier) != 2 || f.Earlier[0] != guilty.String()):
				t.Errorf("without: %+v", f)
			}
			var text strings.Builder
			if err := r.report.WriteText(&text); err != nil || !strings.Contains(text.String(), "unsubscribe") {
				t.Errorf("the script that does it is not in the report: %v\n%s", err, text.String())
			}
		})
	}
}

func TestReplayEndsWithTheCanaries(t *testing.T) {
	b := &modelBroker{rules: model.Standard()}
	m := &mortal{dial: b.start(t), of: packet.TypeDisconnect} // behind which nothing is owed to the script
	c := &Campaign{Dial: m.connect, Rules: b.rules, Patience: 5 * time.Second}
	found, said, err := c.Replay(t.Context(), parse(t, "profile standard\nA connect alice clean keepalive 60\nA disconnect\n"))
	if err != nil || found == nil || found.Rule != "crash" {
		t.Errorf("found %+v, %v\n%s", found, err, strings.Join(said, "\n"))
	}
	found, _, err = c.Replay(t.Context(), parse(t, "profile standard\nA connect alice clean keepalive 60\n"))
	if err == nil || !errors.Is(err, syscall.ECONNREFUSED) || found != nil {
		t.Errorf("with nobody there: %+v, %v", found, err)
	}
}

// A second broker that goes is one finding, and is not asked any more.
func TestSecondBrokerThatGoes(t *testing.T) {
	one, two := &modelBroker{rules: model.Standard()}, &modelBroker{rules: model.Standard()}
	m := &mortal{dial: two.start(t), of: packet.TypeUnsubscribe}
	c := &Campaign{Dial: one.start(t), Other: m.connect, Rules: one.rules, Patience: 5 * time.Second, Duration: 10 * time.Minute,
		Scripts: 100, Seed: 7}
	report, err := c.Run(t.Context())
	if err != nil || len(report.Deviations) > 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	if n := len(report.Differences); n == 0 || n > 2 || report.Differences[n-1].Rule != "crash" {
		t.Errorf("%d differences, want a crash at last", n)
	}
	if _, err := c.Run(t.Context()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("with nobody there from the start: %v", err)
	}
}
