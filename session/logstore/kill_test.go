package logstore_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"sampan/session"
	"sampan/session/logstore"
	"sampan/session/wal"
)

// killedDir is set for the process that is to be killed: level, then directory.
const killedDir = "SAMPAN_LOGSTORE_TEST_DIR"

// TestKilledProcess kills a process that stores messages and says which are acknowledged, again and again. It
// runs itself as that process.
func TestKilledProcess(t *testing.T) {
	if where := os.Getenv(killedDir); where != "" {
		storeUntilKilled(t, where)
		return
	}
	levels(t, func(t *testing.T, o logstore.Options) {
		dir := t.TempDir()
		acked, r := 0, rand.New(rand.NewPCG(1, uint64(o.Level)))
		kills := 5
		if testing.Short() {
			kills = 2
		}
		for range kills {
			p := exec.Command(os.Args[0], "-test.run=^TestKilledProcess$")
			p.Env = append(os.Environ(), killedDir+"="+fmt.Sprint(int(o.Level), " ", dir))
			out, err := p.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			for stop := acked + 1 + r.IntN(1000); lines.Scan(); {
				if _, err := fmt.Sscanf(lines.Text(), "acked %d", &acked); err != nil {
					t.Fatalf("the process said %q", lines.Text())
				}
				if acked >= stop {
					break
				}
			}
			p.Process.Kill()
			for lines.Scan() { // what it had said already
				fmt.Sscanf(lines.Text(), "acked %d", &acked)
			}
			p.Wait()

			s, err := logstore.Open(dir, o)
			if err != nil {
				t.Fatal(err)
			}
			if n := countMessages(t, s); n < acked {
				t.Fatalf("%d messages are there, %d were acknowledged", n, acked)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if acked < kills {
			t.Fatalf("only %d messages were acknowledged", acked)
		}
	})
}

// countMessages checks that the store's session holds the messages 0, 1, 2, and so on, and returns how many.
func countMessages(t *testing.T, s *logstore.Store) int {
	n := 0
	err := s.Recover(func(r *session.Recovered) error {
		for _, q := range allQueued(s, r.ID) {
			m, err := s.Load(q.Ref)
			if err != nil {
				return err
			}
			if want := fmt.Sprint("message ", n); !strings.HasPrefix(string(m.Payload()), want+" ") {
				return fmt.Errorf("message %d is %.20q", n, m.Payload())
			}
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func allQueued(s session.Store, id session.ID) (all []session.Stored) {
	dst := make([]session.Stored, 1000)
	for after := session.Ref(0); ; after = all[len(all)-1].Ref {
		n := s.Queue(id, after, dst)
		if n == 0 {
			return all
		}
		all = append(all, dst[:n]...)
	}
}

// storeUntilKilled stores messages for one session, numbered without gaps over all processes.
func storeUntilKilled(t *testing.T, where string) {
	level, dir, _ := strings.Cut(where, " ")
	o := small
	fmt.Sscan(level, &o.Level)
	s, err := logstore.Open(dir, o)
	if errors.Is(err, wal.ErrLocked) {
		t.Fatal("the process before still lives")
	} else if err != nil {
		t.Fatal(err)
	}
	id, n := session.ID(0), 0
	err = s.Recover(func(r *session.Recovered) error { id, n = r.ID, r.Queued; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if id == 0 {
		id = newSession(t, s, "a")
	}
	for start := time.Now(); time.Since(start) < time.Minute; n++ {
		m := session.NewMessage([]byte("t"), fmt.Appendf(nil, "message %d %0*d", n, n%200, 0), 0)
		if err := s.Append(m, []session.ID{id}); err != nil {
			t.Fatal(err)
		}
		if n%7 == 0 {
			count := n + 1
			s.Sync(func(err error) {
				if err == nil {
					fmt.Println("acked", count)
				}
			})
		}
	}
}
