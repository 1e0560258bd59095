package broker_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"sampan/broker/brokertest"
)

type ctx = context.Context

// connections waits until the broker has so many connections. The end of one is counted, logged and observed
// before it is forgotten.
func connections(t testing.TB, b *brokertest.Broker, n int64) {
	t.Helper()
	eventually(t, "the other connections are forgotten", func() bool { return b.Stats().Connections == n })
}

// eventually waits for something that another goroutine is about to do.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(brokertest.Patience); !done(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("this did not happen: %s", what)
		}
	}
}
