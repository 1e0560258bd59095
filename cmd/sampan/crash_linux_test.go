package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Who kills `sampan crash` has not a broker left that nobody knows of.
func TestCrashLeavesNoBrokerBehind(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	crash := exec.Command("sampan", "crash", "--data", dir, "--durability", "os", "--min-interval", "1h", "--max-interval", "1h")
	if err := crash.Start(); err != nil {
		t.Fatal(err)
	}
	inUse := func() bool {
		said, err := exec.Command("sampan", "store", "inspect", "--data", dir).CombinedOutput()
		return err != nil && bytes.Contains(said, []byte("a broker runs on"))
	}
	// It is there when it has written what the load has sent, more than its first page.
	running := eventually(func() bool {
		info, err := os.Stat(filepath.Join(dir, "sessions", "00000001.wal"))
		return err == nil && info.Size() > 64<<10
	})
	crash.Process.Kill()
	crash.Wait()
	if !running {
		t.Fatal("the broker did not start")
	}
	if !eventually(func() bool { return !inUse() }) {
		t.Error("the broker lives on")
	}
}
