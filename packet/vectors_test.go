package packet_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sampan/packet"
)

// vector is a file in testdata/vectors: one packet, good or hostile, or the
// beginning of one.
type vector struct {
	Means      string   // what the packet is and what follows from it
	Statements []string // of the standard, that it shows
	Limits     string   // standard, standard-3.1, platform
	Override   *overrides
	Hex        string // the bytes
	Fill       *struct {
		Byte  string
		Count int
	} // further bytes behind them

	// Exactly one of these is expected.
	Want  map[string]any // the decoded view, as view renders it
	Error *struct {
		Rule    packet.Rule
		Field   string
		Offset  int
		Limit   int
		Value   int
		Connack *packet.ReturnCode
	}
	Need int // incomplete, with so many bytes known to be missing

	// Canonical is false for a good packet that does not come back from its
	// view byte by byte.
	Canonical *bool

	name string
}

// overrides change single limits of a vector.
type overrides struct {
	Levels                                                  []int
	Types                                                   string
	Will, Retain, PublishQoS2, SubscribeQoS2, ExcessFilters string
	Connect, Payload, Topic, Slashes, Filters               int
}

func (v *vector) limits(t *testing.T) *packet.Limits {
	t.Helper()
	var lim packet.Limits
	switch v.Limits {
	case "standard":
	case "standard-3.1":
		lim.Level = packet.Level31
	case "platform":
		lim = packet.DefaultLimits()
	default:
		t.Fatalf("unknown limits %q", v.Limits)
	}
	o := v.Override
	if o == nil {
		return &lim
	}
	for _, level := range o.Levels {
		lim.Levels |= 1 << level
	}
	switch o.Types {
	case "":
	case "from-client":
		lim.Types = packet.FromClient
	case "from-client-without-qos2":
		lim.Types = packet.FromClient &^ packet.QoS2Types
	case "first-from-client":
		lim.Types = packet.FirstFromClient
	case "from-server":
		lim.Types = packet.FromServer
	case "first-from-server":
		lim.Types = packet.FirstFromServer
	default:
		t.Fatalf("unknown types %q", o.Types)
	}
	for _, p := range []struct {
		to   *packet.Policy
		word string
	}{
		{&lim.Will, o.Will}, {&lim.Retain, o.Retain}, {&lim.PublishQoS2, o.PublishQoS2},
		{&lim.SubscribeQoS2, o.SubscribeQoS2}, {&lim.ExcessFilters, o.ExcessFilters},
	} {
		switch p.word {
		case "":
		case "ignore":
			*p.to = packet.Ignore
		case "refuse":
			*p.to = packet.Refuse
		default:
			t.Fatalf("unknown policy %q", p.word)
		}
	}
	for _, n := range []struct {
		to *int
		n  int
	}{
		{&lim.Connect, o.Connect}, {&lim.Payload, o.Payload}, {&lim.Topic, o.Topic},
		{&lim.Slashes, o.Slashes}, {&lim.Filters, o.Filters},
	} {
		if n.n != 0 {
			*n.to = n.n
		}
	}
	return &lim
}

func (v *vector) raw(t *testing.T) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(v.Hex, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	if v.Fill != nil {
		c, err := hex.DecodeString(v.Fill.Byte)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, bytes.Repeat(c, v.Fill.Count)...)
	}
	return b
}

func loadVectors(t testing.TB) []vector {
	t.Helper()
	files, err := filepath.Glob("testdata/vectors/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	var all []vector
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		v := vector{name: strings.TrimSuffix(filepath.Base(file), ".json")}
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, v)
	}
	return all
}

// TestVectors decodes every file of testdata/vectors and expects the view, the
// error or the number of missing bytes that the file says.
func TestVectors(t *testing.T) {
	for _, v := range loadVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			raw, lim := v.raw(t), v.limits(t)
			f, n, need, err := packet.Next(raw, lim)
			var p coder
			if err == nil && n > 0 {
				if n != len(raw) || !bytes.Equal(f.Raw, raw) {
					t.Fatalf("%s: the frame has %d of %d bytes", short(raw), n, len(raw))
				}
				if p = newPacket(f.Type()); p != nil {
					err = p.Decode(f, lim)
				}
			}
			switch {
			case v.Error != nil:
				var e *packet.Error
				if !errors.As(err, &e) {
					t.Fatalf("%s: error %v, want %s", short(raw), err, v.Error.Rule)
				}
				if e.Rule != v.Error.Rule || e.Field != v.Error.Field || e.Offset != v.Error.Offset ||
					e.Limit != v.Error.Limit || e.Value != v.Error.Value {
					t.Errorf("%s: error %+v, want %+v", short(raw), *e, *v.Error)
				}
				if want := packet.Type(raw[0] >> 4); e.Type != want {
					t.Errorf("%s: the error's type is %v, want %v", short(raw), e.Type, want)
				}
				code, ok := e.Connack()
				if want := v.Error.Connack; ok != (want != nil) || ok && code != *want {
					t.Errorf("%s: CONNACK %v %v, want %v", short(raw), code, ok, want)
				}
				if !e.Fatal() {
					t.Errorf("%s: an error of Next or Decode is not fatal", short(raw))
				}
				if s := e.Error(); !strings.Contains(s, string(e.Rule)) || !strings.Contains(s, e.Rule.Text()) {
					t.Errorf("the message %q does not name and explain %s", s, e.Rule)
				}
				if p != nil && !cmp.Equal(view(f, p), view(f, newPacket(f.Type()))) {
					t.Errorf("%s: left over after an error: %v", short(raw), view(f, p))
				}
			case v.Need > 0:
				if err != nil || n != 0 || need != v.Need {
					t.Errorf("%s: n=%d need=%d error=%v, want need %d", short(raw), n, need, err, v.Need)
				}
			default:
				if err != nil || n == 0 {
					t.Fatalf("%s: n=%d, error %v", short(raw), n, err)
				}
				if diff := cmp.Diff(v.Want, view(f, p)); diff != "" {
					t.Errorf("%s: view differs (- want, + got)\n%s", short(raw), diff)
				}
				canonical := v.Canonical == nil || *v.Canonical
				encoded := appendBodyless(f.Type())
				if p != nil {
					encoded = p.AppendTo(nil)
					if p.Size() != len(encoded) {
						t.Errorf("Size is %d, AppendTo appended %d", p.Size(), len(encoded))
					}
				}
				if bytes.Equal(encoded, raw) != canonical {
					t.Errorf("encoded again:\n got %s\nfrom %s\ncanonical: %v", short(encoded), short(raw), canonical)
				}
			}
		})
	}
}

// TestVectorsInPieces gives Next every beginning of every vector: it is either
// incomplete, with a number of missing bytes that is not too large, or already
// in error, with the same error as the whole.
func TestVectorsInPieces(t *testing.T) {
	for _, v := range loadVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			raw, lim := v.raw(t), v.limits(t)
			_, n, need, whole := packet.Next(raw, lim)
			total := n + need
			if n == 0 {
				total = len(raw) + need
			}
			for i := range len(raw) {
				_, n, need, err := packet.Next(raw[:i], lim)
				switch {
				case err != nil:
					if whole == nil || err.Error() != whole.Error() {
						t.Fatalf("%d bytes of %s: error %v, of the whole: %v", i, short(raw), err, whole)
					}
				case n != 0 || need < 1 || whole == nil && i+need > total:
					t.Fatalf("%d bytes of %s: n=%d need=%d", i, short(raw), n, need)
				}
			}
		})
	}
}

// TestEveryRuleHasAVector lists the rules of the package and demands a hostile
// vector for each that Next and Decode can return.
func TestEveryRuleHasAVector(t *testing.T) {
	shown := map[packet.Rule]bool{}
	for _, v := range loadVectors(t) {
		if v.Error != nil {
			shown[v.Error.Rule] = true
		}
		if len(v.Means) < 10 {
			t.Errorf("%s does not say what it means", v.name)
		}
	}
	elsewhere := map[packet.Rule]string{
		packet.RuleTopicTooLong: "only a topic that did not come in a packet can be so long: TestTopicLength",
		packet.RuleWillClear:    "only a value to be encoded can be so: TestCheck",
		packet.RuleIDWithoutQoS: "only a value to be encoded can be so: TestCheck",
	}
	for _, rule := range packet.Rules() {
		if rule.Text() == "" {
			t.Errorf("%s has no text", rule)
		}
		if _, ok := elsewhere[rule]; !shown[rule] && !ok {
			t.Errorf("%s (%s) has no vector", rule, rule.Text())
		}
	}
}
