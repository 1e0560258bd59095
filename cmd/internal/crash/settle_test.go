package crash

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"
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
