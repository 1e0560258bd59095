package chip

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"sampan/internal/ceiling"
)

func TestPrefaceOnTheWire(t *testing.T) {
	for want, p := range map[string]Preface{
		"CHIP\x01\x09dev1&prod":                          {Identity: "dev1&prod"},
		"CHIP\x01\x18dev1&prod 192.0.2.1:1234":           {Identity: "dev1&prod", Remote: "192.0.2.1:1234"},
		"CHIP\x01\xff" + strings.Repeat("x", MaxPreface): {Identity: strings.Repeat("x", MaxPreface)},
	} {
		got, err := p.AppendTo([]byte("before "))
		if err != nil || string(got) != "before "+want {
			t.Errorf("%+v: %q, %v", p, got, err)
		}
		r := strings.NewReader(want + "the device's bytes")
		if back, err := Read(r); err != nil || back != p {
			t.Errorf("%q: %+v, %v", want, back, err)
		}
		if rest, _ := io.ReadAll(r); string(rest) != "the device's bytes" {
			t.Errorf("%q: what follows was read: %q is left", want, rest)
		}
		for n := range len(want) {
			if _, err := Read(strings.NewReader(want[:n])); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("the first %d bytes of %q: %v", n, want, err)
			}
		}
	}
}

func TestPrefacesThatAreNone(t *testing.T) {
	for _, wire := range []string{
		"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", "PROXY TCP4", "chip\x01\x01x", "CHIP\x00\x01x", "CHIP\x02\x01x", "CHIP\x01\x00",
		"CHIP\x01\x01 ", "CHIP\x01\x02x ", "CHIP\x01\x02 x", "CHIP\x01\x05x y z", "CHIP\x01\x03x\ny", "CHIP\x01\x03x\x00y", "CHIP\x01\x02\xc3\xa9", "CHIP\x01\x03x\x7fy",
	} {
		if p, err := Read(strings.NewReader(wire)); !errors.Is(err, ErrPreface) {
			t.Errorf("%q: %+v, %v", wire, p, err)
		}
	}
	for _, p := range []Preface{
		{}, {Remote: "192.0.2.1:1"}, {Identity: "a b"}, {Identity: "a\n"}, {Identity: "a", Remote: "b c"}, {Identity: "é"},
		{Identity: strings.Repeat("x", MaxPreface+1)}, {Identity: strings.Repeat("x", MaxPreface-1), Remote: "y"},
	} {
		if b, err := p.AppendTo(nil); !errors.Is(err, ErrPreface) || len(b) > 0 {
			t.Errorf("%+v: %q, %v", p, b, err)
		}
	}
}

// FuzzRead: what can be read can be written, as the same bytes; and what is not a preface is refused.
func FuzzRead(f *testing.F) {
	f.Fuzz(func(t *testing.T, wire []byte) {
		defer ceiling.Bytes(ceiling.Lots + 32*len(wire)).Hold(t)()
		r := bytes.NewReader(wire)
		p, err := Read(r)
		if err != nil {
			return
		}
		again, err := p.AppendTo(nil)
		if used := len(wire) - r.Len(); err != nil || !bytes.Equal(again, wire[:used]) {
			t.Fatalf("%+v: %q, %v; read %q", p, again, err, wire[:used])
		}
	})
}
