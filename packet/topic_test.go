package packet_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"sampan/packet"
)

// naiveText is MQTT 3.1.1 section 1.5.3 word by word.
func naiveText(s string) bool {
	return utf8.ValidString(s) && !strings.Contains(s, "\x00")
}

// naiveName is what section 4.7 says of a topic name.
func naiveName(s string) bool {
	return naiveText(s) && len(s) >= 1 && len(s) <= 65_535 && !strings.ContainsAny(s, "+#")
}

// naiveFilter is what section 4.7 says of a topic filter.
func naiveFilter(s string) bool {
	if !naiveText(s) || len(s) < 1 || len(s) > 65_535 {
		return false
	}
	levels := strings.Split(s, "/")
	for i, l := range levels {
		if l == "#" && i != len(levels)-1 {
			return false
		}
		if l != "#" && l != "+" && strings.ContainsAny(l, "+#") {
			return false
		}
	}
	return true
}

// oddTopics are short strings of what matters in a topic.
func oddTopics() *rapid.Generator[string] {
	piece := rapid.SampledFrom([]string{
		"a", "bcdefgh", "/", "/", "+", "#", "/+/", "/#", "'", "3", ";", "$", "\x00", "\x7f", "é", "设", "\ufeff",
		"\xc0\xaf", "\xed\xa0\x80", "\xff", "\x80", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	})
	return rapid.Map(rapid.SliceOfN(piece, 0, 12), func(s []string) string { return strings.Join(s, "") })
}

func TestTopicsAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := oddTopics().Draw(t, "topic")
		if err := packet.ValidTopicName([]byte(s), nil); (err == nil) != naiveName(s) {
			t.Fatalf("name %q: %v, naive: %v", s, err, naiveName(s))
		}
		if err := packet.ValidTopicFilter([]byte(s), nil); (err == nil) != naiveFilter(s) {
			t.Fatalf("filter %q: %v, naive: %v", s, err, naiveFilter(s))
		}
		lim := packet.Limits{Slashes: 3, Topic: 30}
		within := strings.Count(s, "/") <= 3 && len(s) <= 30
		if err := packet.ValidTopicName([]byte(s), &lim); (err == nil) != (within && naiveName(s)) {
			t.Fatalf("name %q under limits: %v", s, err)
		}
	})
}

// Every byte at every place of a topic of every length up to 40: what is looked
// at eight bytes at a time may not miss one, and slashes are all counted.
func TestTopicEveryByteEveryPlace(t *testing.T) {
	for n := 1; n <= 40; n++ {
		for at := range n {
			for c := range 256 {
				s := bytes.Repeat([]byte{'x'}, n)
				s[at] = byte(c)
				want := naiveName(string(s))
				if err := packet.ValidTopicName(s, nil); (err == nil) != want {
					t.Fatalf("%q: %v, naive: %v", s, err, want)
				}
				var p packet.Publish
				raw := (&packet.Publish{Topic: s, Payload: []byte("any")}).AppendTo(nil)
				taken := p.Cut(raw, nil) != 0
				if plain := want && c < 0x80 && n >= 8; taken != plain {
					t.Fatalf("%q: taken by Cut: %v, want %v", s, taken, plain)
				}
			}
		}
	}
}

func TestTopicSlashesAreCounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[a/'+#]{8,255}`).Draw(t, "topic")
		s = strings.NewReplacer("+", "/", "#", "b").Replace(s)
		count := strings.Count(s, "/")
		raw := (&packet.Publish{Topic: []byte(s)}).AppendTo(nil)
		for _, most := range []int{count - 1, count, count + 1} {
			if most < 1 {
				continue
			}
			lim := packet.Limits{Slashes: most}
			if err := packet.ValidTopicName([]byte(s), &lim); (err == nil) != (count <= most) {
				t.Fatalf("%q has %d slashes: with at most %d: %v", s, count, most, err)
			}
			if n := new(packet.Publish).Cut(raw, &lim); (n != 0) != (count <= most) {
				t.Fatalf("%q has %d slashes: with at most %d, Cut takes %d bytes", s, count, most, n)
			}
		}
	})
}

// A count that is kept in bytes overflows behind 255.
func TestTopicOfManySlashes(t *testing.T) {
	lim := packet.Limits{Slashes: 7}
	for n := 8; n <= 2100; n++ {
		topic := bytes.Repeat([]byte{'/'}, n)
		if packet.ValidTopicName(topic, &lim) == nil {
			t.Fatalf("%d slashes accepted as a name", n)
		}
		raw := (&packet.Publish{Topic: topic}).AppendTo(nil)
		if new(packet.Publish).Cut(raw, &lim) != 0 {
			t.Fatalf("%d slashes taken by Cut", n)
		}
	}
}

// The longest topic has 65,535 bytes (MQTT-4.7.3-3), whatever they are.
func TestTopicLength(t *testing.T) {
	for _, c := range []string{"a", "/", "é"} {
		topic := []byte(strings.Repeat(c, 65_536))[:65_535]
		if c == "é" {
			topic = topic[:65_534]
		}
		for name, check := range map[string]func([]byte, *packet.Limits) error{
			"name": packet.ValidTopicName, "filter": packet.ValidTopicFilter,
		} {
			if err := check(topic, nil); err != nil {
				t.Errorf("%s of %d times %q: %v", name, len(topic), c, err)
			}
			var e *packet.Error
			err := check(append(topic, "aa"...), nil)
			if !errors.As(err, &e) || e.Rule != packet.RuleTopicTooLong || e.Limit != 65_535 || !e.Fatal() {
				t.Errorf("%s of %d bytes: %v, want %s", name, len(topic)+2, err, packet.RuleTopicTooLong)
			}
		}
	}
}

// Of a filter that breaks a limit only the filter is refused; the standard's
// own rules end the connection.
func TestFilterErrorsAreAboutTheFilter(t *testing.T) {
	lim := packet.DefaultLimits()
	for _, tt := range []struct {
		filter string
		rule   packet.Rule
		fatal  bool
	}{
		{strings.Repeat("a", 129), packet.RuleLimitTopic, false},
		{"/1/2/3/4/5/6/7/8", packet.RuleLimitTopicLevel, false},
		{"a#", packet.RuleHash, true},
		{"a+", packet.RulePlus, true},
		{"", packet.RuleTopicEmpty, true},
		{"a\x00", packet.RuleTextNUL, true},
		{"a\xff", packet.RuleTextUTF8, true},
	} {
		var e *packet.Error
		if err := packet.ValidTopicFilter([]byte(tt.filter), &lim); !errors.As(err, &e) || e.Rule != tt.rule || e.Fatal() != tt.fatal {
			t.Errorf("%q: %v, want %s, fatal: %v", tt.filter, err, tt.rule, tt.fatal)
		}
	}
	for _, good := range []string{"#", "+", "/", "a/b/#", "/sys/pk/dn/thing/#"} {
		if err := packet.ValidTopicFilter([]byte(good), &lim); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}
