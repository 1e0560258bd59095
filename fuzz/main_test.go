package fuzz

import (
	"os"
	"runtime/debug"
	"testing"
)

// collectAt is how much a heap grows, in percent, before it is collected. Executions leave much behind and
// keep nothing: with the usual 100 a fifth of the time went to the collector.
const collectAt = 400

func TestMain(m *testing.M) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	os.Exit(m.Run())
}
