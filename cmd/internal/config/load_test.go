package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/address"
	"sampan/cmd/internal/value"
	"sampan/internal/ceiling"
)

// settings is a small command.
type settings struct {
	config, data string
	listen       address.Listeners
	clean        bool
	policy       value.Word
	expiry       value.Duration
	limit        value.Size
}

func (s *settings) flags() *pflag.FlagSet {
	s.policy = value.OneOf("modern", "platform", "legacy")
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	flags.StringVar(&s.config, "config", "", "")
	flags.StringVar(&s.data, "data", "./sampan-data", "")
	flags.Var(&s.listen, "listen", "")
	flags.BoolVar(&s.clean, "clean", true, "")
	flags.Var(&s.policy, "tls-policy", "")
	flags.Var(&s.expiry, "session-expiry", "")
	flags.Var(&s.limit, "session-bytes", "")
	return flags
}

func TestEveryKeyIsAFlag(t *testing.T) {
	const document = `# a comment
data: /var/lib/sampan
listen:
  - mqtt://127.0.0.1:1883
  - mqtts://:8883
clean: false
tls-policy: platform
session:
  expiry: 7d
  bytes: 1MiB
`
	var s settings
	flags := s.flags()
	set, problems := Load(flags, strings.NewReader(document), "config")
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	if given := flags.Changed; !given("clean") || !given("session-bytes") || given("config") {
		t.Error("what the file has given does not count as changed, or something else does")
	}
	want := []Setting{
		{Line: 2, Key: "data", Values: []string{"/var/lib/sampan"}},
		{Line: 3, Key: "listen", Values: []string{"mqtt://127.0.0.1:1883", "mqtts://:8883"}},
		{Line: 6, Key: "clean", Values: []string{"false"}},
		{Line: 7, Key: "tls-policy", Values: []string{"platform"}},
		{Line: 9, Key: "session-expiry", Values: []string{"7d"}},
		{Line: 10, Key: "session-bytes", Values: []string{"1MiB"}},
	}
	if diff := cmp.Diff(want, set); diff != "" {
		t.Errorf("settings: (-want +got)\n%s", diff)
	}
	if s.data != "/var/lib/sampan" || s.clean || s.policy.String() != "platform" || s.limit != 1<<20 ||
		s.expiry.String() != "7d" || s.listen.String() != "[mqtt://127.0.0.1:1883 mqtts://:8883]" {
		t.Errorf("the flags are %+v", s)
	}
}

func TestTheCommandLineWins(t *testing.T) {
	var s settings
	flags := s.flags()
	if err := flags.Parse([]string{"--data", "here", "--listen", "mqtt://:1", "--tls-policy=legacy"}); err != nil {
		t.Fatal(err)
	}
	set, problems := Load(flags, strings.NewReader("data: there\nlisten: mqtt://:2\ntls-policy: modern\nclean: false\n"))
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	if s.data != "here" || s.listen.String() != "[mqtt://:1]" || s.policy.String() != "legacy" || s.clean {
		t.Errorf("the flags are %+v", s)
	}
	for _, setting := range set {
		if setting.Overridden != (setting.Key != "clean") {
			t.Errorf("%s: overridden %v", setting.Key, setting.Overridden)
		}
	}
}

func TestProblemsNameTheirLine(t *testing.T) {
	cases := []struct {
		name, document string
		want           []string // "line: text"
	}{
		{"unknown key", "data: x\nlisen: mqtt://:1\n", []string{"2: lisen: unknown key; did you mean listen?"}},
		{"underscore", "tls_policy: modern\n", []string{"1: tls_policy: unknown key; did you mean tls-policy?"}},
		{"far from any key", "frobnicate: 1\n", []string{"1: frobnicate: unknown key"}},
		{"unknown key in a section", "session:\n  expirey: 7d\n", []string{"2: session-expirey: unknown key; did you mean session-expiry?"}},
		{"a section with a value", "session: 5\n", []string{"1: session: no key by itself, but the beginning of others: session-bytes, session-expiry"}},
		{"unknown section", "database:\n  host: x\n", []string{"1: database: unknown key"}},
		{"only a flag", "config: other.yaml\n", []string{"1: config: a flag of the command line only"}},
		{"twice", "data: a\nclean: true\ndata: b\n", []string{"3: data: set twice; the first time in line 1"}},
		{"twice by a section", "tls-policy: modern\ntls:\n  policy: modern\n", []string{"3: tls-policy: set twice; the first time in line 1"}},
		{"bad value", "session-expiry: 30\n", []string{"1: session-expiry: has no unit: write 30s for seconds"}},
		{"bad word", "tls-policy: modren\n", []string{"1: tls-policy: not one of modern, platform, legacy; did you mean modern?"}},
		{"bad item", "listen:\n  - mqtt://:1\n  - localhost\n", []string{`2: listen: listen address "localhost": has no scheme: write mqtt://localhost`}},
		{"list for one value", "data: [a, b]\n", []string{"1: data: takes one value, not a list"}},
		{"section for a value", "data:\n  a: b\n", []string{"2: data: takes a value, not a section"}},
		{"section in a list", "listen:\n  - a: b\n", []string{"2: listen: a list holds plain values"}},
		{"no value", "data:\n", []string{"1: data: has no value"}},
		{"yes is not a truth value", "clean: yes\n", []string{"1: clean: write true or false"}},
		{"alias", "data: &x a\ntls-policy: *x\n", []string{
			"1: data: anchors, aliases and merges are not supported",
			"2: tls-policy: anchors, aliases and merges are not supported"}},
		{"no mapping", "- a\n- b\n", []string{"1: expected `key: value` lines"}},
		{"two documents", "data: a\n---\ndata: b\n", []string{"2: a second document begins here; the file holds one"}},
		{"all of them", "lisen: x\ndata: a\nsession-expiry: soon\n", []string{
			"1: lisen: unknown key; did you mean listen?",
			"3: session-expiry: not a duration: write a number with a unit, as in 500ms, 30s, 5m, 12h or 7d"}},
		{"complex key", "? [a, b]\n: c\n", []string{"1: a key is a word"}},
		{"empty", "", nil},
		{"only comments", "# nothing\n", nil},
		{"null document", "~\n", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var s settings
			_, problems := Load(s.flags(), strings.NewReader(c.document), "config")
			var got []string
			for _, p := range problems {
				got = append(got, fmt.Sprintf("%d: %v", p.Line, p))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestBadYAMLNamesItsLine(t *testing.T) {
	for _, document := range []string{"data: a\n  b: c\n", "data: a\nlisten: [x\n", "data: \"a\nb", "\tdata: a\n", "data: a\n---\n:\n  - ]"} {
		var s settings
		_, problems := Load(s.flags(), strings.NewReader(document))
		if len(problems) != 1 || problems[0].Line == 0 || !strings.HasPrefix(problems[0].Error(), "not YAML: ") {
			t.Errorf("%q: problems %v", document, problems)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Fuzz(func(t *testing.T, document string) {
		defer ceiling.Bytes(ceiling.Lots + 64*len(document)).Hold(t)()
		var s settings
		flags := s.flags()
		set, problems := Load(flags, strings.NewReader(document), "config")
		lines := 1
		for _, c := range document {
			if strings.ContainsRune("\n\r\u0085\u2028\u2029", c) { // what ends a line in YAML
				lines++
			}
		}
		for _, p := range problems {
			if p.Error() == "" {
				t.Errorf("a problem without words in line %d", p.Line)
			}
		}
		for _, setting := range set {
			if flags.Lookup(setting.Key) == nil || setting.Key == "config" {
				t.Errorf("%q was set, which is no key", setting.Key)
			}
			if setting.Line < 1 || setting.Line > lines {
				t.Errorf("%s stands in line %d of %d", setting.Key, setting.Line, lines)
			}
		}
	})
}
