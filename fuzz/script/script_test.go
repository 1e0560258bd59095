package script

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sampan/fuzz/model"
)

func drawn(t *rapid.T) *Script {
	steps := rapid.IntRange(1, 30).Draw(t, "steps")
	return From(steps, func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "n") })
}

func TestTextIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawn(t)
		for _, text := range []string{s.String(), s.Explain()} {
			again, err := Parse(text)
			if err != nil {
				t.Fatalf("%v in\n%s", err, text)
			}
			if len(s.Steps) > 0 && !reflect.DeepEqual(again, s) {
				t.Fatalf("wrote\n%s\nread\n%s", s, again)
			}
		}
	})
}

func TestAnyBytesAreAScript(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Decode(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		s.Profile = rapid.SampledFrom([]string{"open", "platform", "small", "standard"}).Draw(t, "profile")
		if len(s.Steps) > MaxSteps+1 {
			t.Fatalf("%d steps", len(s.Steps))
		}
		s.Explain() // the model does not break its own rules
	})
}

func TestEncodingIsDecodedAgain(t *testing.T) {
	s, err := Parse("profile small\nA connect alice keepalive 60\nA subscribe 2 a/+ q1 # q0\nB connect bob clean keepalive 30\n" +
		"B publish a/b q1 id 5 dup \"m4\"\n& B publish a q0 \"m5\"\nA ack 0\nwait 1m30s\nA cut\nB raw 30 00\nrestart\n" +
		"host publish a/b q1 \"m11\"\nhost deliver bob a q0 \"m12\"\nhost offer nobody a q1 \"m13\"\nhost subscribe alice a/# q1\n" +
		"host unsubscribe alice a/#\nhost disconnect alice\nhost discard bob\n")
	if err != nil {
		t.Fatal(err)
	}
	code, ok := Encode(s)
	if !ok {
		t.Fatal("it has no code")
	}
	if got := Decode(code); got.String() != s.String() {
		t.Errorf("want\n%s\ngot\n%s", s, got)
	}
}

func TestMistakesInTextAreReported(t *testing.T) {
	for _, line := range []string{
		"profile nobody", "A", "A publish", "A publish a", "A publish a q9 \"x\"", "A publish a q0 \"x\" more", "Z cut", "A cut now",
		"wait", "wait long", "& A cut", "A raw", "A raw zz", "A connect alice keepalive 70000", "A subscribe 1 a", "restart now",
		"host", "host sing", "host publish a q0", "host deliver alice a", "host subscribe alice a q2", "host discard alice now",
	} {
		if _, err := Parse(line + "\n"); err == nil {
			t.Errorf("%q is taken", line)
		}
	}
}

func TestMinimiseKeepsWhatFails(t *testing.T) {
	s := Random(1, 30)
	last := s.Steps[len(s.Steps)-1].String()
	short := Minimise(s, 1000, func(s *Script) bool {
		return len(s.Steps) > 0 && s.Steps[len(s.Steps)-1].String() == last
	})
	if len(short.Steps) != 1 {
		t.Errorf("%d steps are left:\n%s", len(short.Steps), short)
	}
}

// What a script has is left out also if that can be done only when something else is gone.
func TestMinimiseLeavesNothingToLeaveOut(t *testing.T) {
	parse := func(text string) *Script {
		s, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := parse("profile open\nstore disk\noptions other\nwatched\nprincipals\nchunks 3\nA ping\nB ping\nA subscribe 1 a q1 b/# q1 c q0\n& A unsubscribe 2 d e f\n")
	has := func(s *Script, line string) bool {
		return slices.ContainsFunc(s.Steps, func(st Step) bool { return strings.Contains(st.String(), line) })
	}
	short := Minimise(s, 1000, func(s *Script) bool {
		return has(s, "b/# q1") && has(s, " e") && (has(s, "B ping") || !has(s, "A ping"))
	})
	if want := "profile open\nA subscribe 1 b/# q1\nA unsubscribe 2 e\n"; short.String() != want {
		t.Errorf("got\n%s\nwant\n%s", short, want)
	}
	if short := Minimise(s, 0, func(*Script) bool { t.Error("called"); return true }); short.String() != s.String() {
		t.Errorf("without a try: %s", short)
	}
}

// A script that cuts the power has the disk for that, whether it says so or not.
func TestAPowerCutHasADisk(t *testing.T) {
	s, err := Parse("profile open\nA connect alice keepalive 60\npower cut\n")
	if err != nil || !s.Disk {
		t.Errorf("disk %t, %v", s != nil && s.Disk, err)
	}
}

// TestModelOfAGeneralBroker shows what the standard profile has and ours has not: QoS 2, Will and retained
// messages.
func TestModelOfAGeneralBroker(t *testing.T) {
	s, err := Parse(`profile standard
A connect alice clean keepalive 60
B connect bob clean keepalive 60 will a/b q1 retain "gone"
B publish a q2 id 7 retain "m3"
A subscribe 4 # q2
B cut
`)
	if err != nil {
		t.Fatal(err)
	}
	const want = `profile standard
A connect alice clean keepalive 60
    A < CONNACK 0 present false
B connect bob clean keepalive 60 will a/b q1 retain "gone"
    B < CONNACK 0 present false
B publish a q2 id 7 retain "m3"
    B < PUBREC 7
    B < PUBCOMP 7
A subscribe 4 # q2
    A < PUBLISH a q2 id 1 retain "m3"
    A < SUBACK 4 codes 02
B cut
    A < PUBLISH a/b q1 id 2 "gone"
`
	if got := s.Explain(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, ok := model.ByName("standard"); !ok {
		t.Error("there is no such profile")
	}
}
