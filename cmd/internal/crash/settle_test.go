package crash

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sampan/session/wal/vfs/simdisk"
)

// The last while of load is as long as the longest interval, which may be longer than anything may take.
func TestTheTimeoutBeginsBehindTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := short(2, 1)
		o.Rate, o.MinInterval, o.MaxInterval, o.Timeout = 20, time.Second, time.Minute, 30*time.Second
		report, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if !report.OK() {
			t.Errorf("%+v", report)
		}
	})
}

// The last message waits for a subscriber that has not had the time to subscribe before.
func TestTheLastMessageIsForEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := short(1, 1)
		o.MinInterval, o.MaxInterval = time.Millisecond, time.Millisecond
		report, err := drive(t.Context(), o, distant{newPowered(rand.New(rand.NewPCG(1, 1)))}, rand.New(rand.NewPCG(1, 2)))
		if err != nil {
			t.Fatal(err)
		}
		if !report.Complete || report.faulty() {
			t.Errorf("%+v", report)
		}
	})
}

// distant is a broker that subscribers take long to connect to.
type distant struct{ *powered }

func (d distant) dial(ctx context.Context) (net.Conn, int, error) {
	conn, n, err := d.powered.dial(ctx)
	return slow{conn}, n, err
}

// slow is a connection whose CONNECT takes a second, if it is a subscriber's.
type slow struct{ net.Conn }

func (s slow) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("crash-subscriber-")) {
		time.Sleep(time.Second)
	}
	return s.Conn.Write(p)
}

// A broker that ends by itself when it is not to be ended any more is said to have done that, at once, and what was on
// its way then is not lost.
func TestTheBrokerEndsByItselfInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := short(1, 1)
		o.MinInterval, o.MaxInterval, o.Rate = time.Second, time.Second, 100
		m := mortal{powered: newPowered(rand.New(rand.NewPCG(1, 1)))}
		m.alive, m.fail = context.WithCancelCause(context.Background())
		began := time.Now()
		time.AfterFunc(1500*time.Millisecond, func() {
			m.kill()
			m.fail(errors.New("it has ended by itself"))
		})
		report, err := drive(t.Context(), o, m, rand.New(rand.NewPCG(1, 2)))
		if err != nil {
			t.Fatal(err)
		}
		if report.OK() || len(report.Examples) != 1 || report.Examples[0].What != "it has ended by itself" {
			t.Errorf("%+v", report)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it took %v to notice", took)
		}
	})
}

// What a broker has logged stands beside what it did not do in time.
func TestWhatTheBrokerSaysOfBeingLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := short(1, 1)
		o.MinInterval, o.MaxInterval = time.Second, time.Second
		p := shut{newPowered(rand.New(rand.NewPCG(1, 1))), time.Now().Add(1500 * time.Millisecond)}
		time.AfterFunc(time.Until(p.at), func() {
			p.disk.Fault(func(simdisk.Op, string) error { return errors.New("worn out") })
		})
		report, err := drive(t.Context(), o, p, rand.New(rand.NewPCG(1, 2)))
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Examples) == 0 || !strings.Contains(report.Examples[0].What, "within 20s") || !strings.Contains(report.Examples[0].What, "worn out") {
			t.Errorf("%+v", report)
		}
	})
}

// shut is a broker that lets nobody in from some time on.
type shut struct {
	*powered
	at time.Time
}

func (s shut) dial(ctx context.Context) (net.Conn, int, error) {
	if time.Now().After(s.at) {
		return nil, 0, errDown
	}
	return s.powered.dial(ctx)
}

// mortal is a broker that can end by itself.
type mortal struct {
	*powered
	alive context.Context
	fail  context.CancelCauseFunc
}

func (m mortal) life() context.Context { return m.alive }
