package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"sampan/fuzz/model"
	"sampan/fuzz/script"
	"sampan/packet"
)

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name, one, other string
		answers          bool // differ
	}{
		{"granted or not", "SUBACK 1 codes 80", "SUBACK 1 codes 01", true},
		{"refused or not", "CONNACK 0 present false", "CONNACK 5 present false", true},
		{"topics of digits", `PUBLISH 0/1 q1 id 1 "m"`, `PUBLISH 0/2 q1 id 1 "m"`, true},
		{"identifiers of the broker", `PUBLISH a q1 id 1 "m"`, `PUBLISH a q1 id 7 "m"`, false},
		{"and in its acknowledgements", "PUBREL 1", "PUBREL 7", false},
		{"payloads", `PUBLISH a q0 "m 1"`, `PUBLISH a q0 "m 2 id 3"`, false},
		{"a topic that is called id", `PUBLISH id q0 "m"`, `PUBLISH a q0 "m"`, true},
		{"packets", "PINGRESP", "closed", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			one, other := []string{"A < " + c.one}, []string{"A < " + c.other}
			if got := answers(one) != answers(other); got != c.answers {
				t.Errorf("answers differ: %t", got)
			}
			_, at := differ(answers(one), answers(other))
			if (at != "") != c.answers {
				t.Errorf("they differ at %q", at)
			}
		})
	}
}

func TestFindingSaysWhereItShowed(t *testing.T) {
	s := parse(t, "A connect alice clean keepalive 60\nB publish a q0 retain \"m6\"\n")
	f := finding(s, script.Result{Step: 1, Deviation: &model.Deviation{Rule: "R", Conn: 2, Text: "a packet that has not come", Want: "PUBLISH"}}, nil)
	if f.Connection != "C" || f.Step != 2 || f.Action != `B publish a q0 retain "m6"` || f.Bytes != fmt.Sprintf("%x", s.Steps[1].Raw) {
		t.Errorf("%+v", f)
	}
	var text strings.Builder
	if err := (&Report{Deviations: []*Finding{f}}).WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"on connection C\n", "at step 2, B publish", "sent 31", "does not repeat"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

func TestErrorsHaveNoPortsOfOurs(t *testing.T) {
	broken := func(port int) error {
		return fmt.Errorf("%w; and %w", &net.OpError{Op: "write", Net: "tcp", Source: &net.TCPAddr{Port: port}, Addr: &net.TCPAddr{Port: 1883},
			Err: io.ErrClosedPipe}, errors.New("more"))
	}
	if a, b := plain(broken(49980)), plain(broken(49981)); a != b || a != "write: io: read/write on closed pipe; and more" {
		t.Errorf("%s\n%s", a, b)
	}
}

// What does not repeat at first has another turn with the next scripts that show it, and not for ever.
func TestNoteTriesAgain(t *testing.T) {
	s := parse(t, "A connect alice clean keepalive 60\n")
	for _, c := range []struct {
		showsAt, tried int
	}{{2, 2}, {100, repeats}} {
		told := 0
		r := (&Campaign{Found: func(*Finding) { told++ }}).begin()
		calls := 0
		try := func(context.Context, *script.Script) *Finding {
			if calls++; calls < c.showsAt {
				return nil
			}
			return &Finding{key: "k", Script: s.String()}
		}
		for range 5 {
			r.note(t.Context(), s, &Finding{key: "k"}, &r.report.Deviations, try)
		}
		f := r.report.Deviations[0]
		if f.tried != c.tried || f.Count != 5 || f.Repeats != (c.tried < repeats) || told != 1 {
			t.Errorf("%+v, told %d times", f, told)
		}
	}
}

func TestDifferencesAreRepeatedAndReduced(t *testing.T) {
	one, two := &modelBroker{rules: model.Standard()}, &modelBroker{rules: model.Standard(), spoil: func(_ int, raw []byte) [][]byte {
		if typeOf(raw) == packet.TypeUnsuback {
			return [][]byte{append(raw[:2:2], 0, 0)}
		}
		return [][]byte{raw}
	}}
	told := 0
	c := &Campaign{Dial: one.start(t), Other: two.start(t), Rules: one.rules, Patience: 5 * time.Second, Duration: 10 * time.Minute,
		Scripts: 60, Seed: 7, Found: func(*Finding) { told++ }}
	report, err := c.Run(t.Context())
	if err != nil || len(report.Deviations) > 0 || len(report.Differences) == 0 || told != len(report.Differences) {
		t.Fatalf("%+v, %v", report, err)
	}
	if f := report.Differences[0]; !f.Repeats || len(parse(t, f.Script).Steps) > 3 {
		t.Errorf("%+v", f)
	}
}
