package network

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sampan/fuzz/model"
	"sampan/fuzz/script"
)

func parse(t *testing.T, text string) *script.Script {
	t.Helper()
	s, err := script.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestHalvesGoOnWithWhatWasBrokenOff(t *testing.T) {
	s := parse(t, `profile standard
A connect alice keepalive 60
A publish a q1 id 3 "at once"
A hold
A publish a q1 id 6 "first"
A publish b q1 id 6 "uses an identifier that is in use"
A publish b q1 id 5 "another"
A cut
A connect alice keepalive 60
A publish a q1 id 6 "the client goes on"
A publish a q1 id 6 "and is through"
A hold
A publish a q1 id 9 "second"
A publish a q1 id 12 "third"
A subscribe 12 a q1
A subscribe 13 a q1
A ping
A connect alice clean keepalive 60
A publish a q1 id 12 "of a new session"
`)
	halves(s)
	const want = `profile standard
A connect alice keepalive 60
A publish a q2 id 3 "at once"
A hold
A publish a q2 id 6 "first"
A publish a q2 id 6 dup "first"
A publish b q1 id 5 "another"
A cut
A connect alice keepalive 60
A publish a q2 id 6 dup "first"
A publish a q2 id 6 "and is through"
A hold
A publish a q2 id 9 "second"
A publish a q2 id 12 "third"
A subscribe 268 a q1
A subscribe 13 a q1
A pubrel 9
A connect alice clean keepalive 60
A publish a q2 id 12 "of a new session"
`
	if got := s.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFitLeavesOutWhatIsNotAskedFor(t *testing.T) {
	const text = `profile open
A connect alice keepalive 30
wait 1h
wait 10s
wait 1s
restart
power cut
A stall
A read
A publish a q0 "x"
`
	rules := model.Standard()
	for _, c := range []struct {
		name string
		k    maker
		want string
	}{
		{"nothing", maker{rules: &rules}, "A connect alice keepalive 30|A hold|A hold|A publish a q0 \"x\""},
		{"slow", maker{rules: &rules, slow: true}, "A connect alice keepalive 1|wait 2s|wait 1s|A hold|A hold|A publish a q0 \"x\""},
		{"restarts", maker{rules: &rules, restarts: true}, "A connect alice keepalive 30|restart|A hold|A hold|A publish a q0 \"x\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.k.fit(parse(t, text)).String()
			if want := "profile standard\n" + strings.ReplaceAll(c.want, "|", "\n") + "\n"; got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestSlowScriptsKeepTheirTimeShort(t *testing.T) {
	rules := model.Open()
	k := maker{rnd: rand.New(rand.NewPCG(1, 1)), rules: &rules, slow: true, restarts: true,
		effects: make(map[string]bool), avoid: make(map[string]bool)}
	waited := 0
	for range 500 {
		s, code := k.next()
		k.learn(code, s.String())
		total, restarts := time.Duration(0), 0
		for _, st := range s.Steps {
			switch st.Kind {
			case script.Wait:
				total += st.For
				waited++
			case script.Restart:
				restarts++
			case script.Send, script.Ack, script.Again, script.Cut:
			default:
				t.Fatalf("a step that no broker over a network can do: %s", &st)
			}
		}
		if total > shortWait+longWait || restarts > 1 {
			t.Errorf("waits %v, %d restarts:\n%s", total, restarts, s)
		}
	}
	if waited == 0 {
		t.Error("no script waits")
	}
}
