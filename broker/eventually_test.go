package broker_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"sampan/broker/brokertest"
)

type ctx = context.Context

// eventually waits for something that another goroutine is about to do.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(brokertest.Patience); !done(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("this did not happen: %s", what)
		}
	}
}
