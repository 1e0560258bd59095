package ledger_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"sampan/broker/ledger"
	"sampan/session/wal"
)

// The directory in which a child process works; see TestAKilledProcessLosesNothing.
const childDirectory = "SAMPAN_LEDGER_CHILD"

// TestMain turns the test binary into the child if it is asked to be one.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDirectory); dir != "" {
		work(dir)
	}
	os.Exit(m.Run())
}

// work changes the records of a ledger for ever, and says of each change that it holds.
func work(dir string) {
	l, err := ledger.Open(dir, ledger.Options{Level: wal.OS, SegmentBytes: wal.MinSegment})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for n := 1; ; n++ {
		err := l.Put(ledger.Shadow, ledger.Record{Key: strconv.Itoa(n % 10), Value: []byte(strconv.Itoa(n) + strings.Repeat("v", 1000))})
		if err == nil {
			err = l.Wait()
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(n)
	}
}

// A process that keeps a ledger is killed by the system, in the middle of its changes and compactions: what it
// has said holds is there.
func TestAKilledProcessLosesNothing(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	child := exec.Command(self)
	child.Env = append(os.Environ(), childDirectory+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	last, lines := 0, bufio.NewScanner(out)
	for lines.Scan() {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatalf("the child says %q", lines.Text())
		}
		if last = n; n == 300 {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || last < 300 {
		t.Fatalf("the child ended by itself after %d changes", last)
	}
	l, err := ledger.Open(dir, ledger.Options{Level: wal.OS, SegmentBytes: wal.MinSegment})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := contents(t, l, ledger.Shadow)
	for n := last - 9; n <= last; n++ {
		value := got[strconv.Itoa(n%10)]
		kept, err := strconv.Atoi(strings.TrimRight(value, "v"))
		if err != nil || kept < n {
			t.Errorf("record %d is of change %d, want %d or a later one", n%10, kept, n)
		}
	}
}
