package wire

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"sampan/internal/ceiling"
)

func fullClientHello() ClientHello {
	return ClientHello{
		Version:              Version12,
		Random:               bytes.Repeat([]byte{0xaa}, RandomLen),
		SessionID:            []byte{1, 2, 3},
		Suites:               []byte{0, 0x8c, 0, 0xa8},
		Compression:          []byte{0},
		Groups:               []byte{0, 29, 0, 23},
		Points:               []byte{0},
		Versions:             []byte{3, 4, 3, 3},
		MaxFragment:          2,
		EncryptThenMAC:       true,
		ExtendedMasterSecret: true,
		Renegotiation:        true,
	}
}

func fullServerHello() ServerHello {
	return ServerHello{
		Version:              Version12,
		Random:               bytes.Repeat([]byte{0xbb}, RandomLen),
		SessionID:            []byte{9},
		Suite:                0x008c,
		MaxFragment:          4,
		Points:               []byte{0},
		EncryptThenMAC:       true,
		ExtendedMasterSecret: true,
		Renegotiation:        true,
	}
}

// message is what every message type of this package has in common.
type decoder func(body []byte) (again []byte, err error)

func decodeClientHello(body []byte) ([]byte, error) {
	var m ClientHello
	err := m.Decode(body)
	return m.Append(nil), err
}

func decodeServerHello(body []byte) ([]byte, error) {
	var m ServerHello
	err := m.Decode(body)
	return m.Append(nil), err
}

func decodeServerKeyExchange(ecdhe bool) decoder {
	return func(body []byte) ([]byte, error) {
		var m ServerKeyExchange
		err := m.Decode(body, ecdhe)
		return m.Append(nil), err
	}
}

func decodeClientKeyExchange(ecdhe bool) decoder {
	return func(body []byte) ([]byte, error) {
		var m ClientKeyExchange
		err := m.Decode(body, ecdhe)
		return m.Append(nil), err
	}
}

// samples are one message of each form with its decoder.
func samples() map[string]struct {
	bytes  []byte
	decode decoder
} {
	ch, sh := fullClientHello(), fullServerHello()
	return map[string]struct {
		bytes  []byte
		decode decoder
	}{
		"ClientHello":             {ch.Append(nil), decodeClientHello},
		"ServerHello":             {sh.Append(nil), decodeServerHello},
		"ServerKeyExchange":       {(&ServerKeyExchange{Hint: []byte("hint")}).Append(nil), decodeServerKeyExchange(false)},
		"ServerKeyExchange ECDHE": {(&ServerKeyExchange{Group: 29, Point: make([]byte, 32)}).Append(nil), decodeServerKeyExchange(true)},
		"ClientKeyExchange":       {(&ClientKeyExchange{Identity: []byte("id")}).Append(nil), decodeClientKeyExchange(false)},
		"ClientKeyExchange ECDHE": {(&ClientKeyExchange{Identity: []byte("id"), Point: make([]byte, 32)}).Append(nil), decodeClientKeyExchange(true)},
	}
}

func TestDecodeThenAppendIsTheSame(t *testing.T) {
	for name, s := range samples() {
		again, err := s.decode(s.bytes[HeaderLen:])
		if err != nil || !bytes.Equal(again, s.bytes) {
			t.Errorf("%s: %v\n got %x\nwant %x", name, err, again, s.bytes)
		}
		if n := int(s.bytes[1])<<16 | int(s.bytes[2])<<8 | int(s.bytes[3]); n != len(s.bytes)-HeaderLen {
			t.Errorf("%s: header says %d, body has %d", name, n, len(s.bytes)-HeaderLen)
		}
	}
}

func TestFieldsSurvive(t *testing.T) {
	ch := fullClientHello()
	var m ClientHello
	if err := m.Decode(ch.Append(nil)[HeaderLen:]); err != nil || !reflect.DeepEqual(m, ch) {
		t.Errorf("%v\n got %+v\nwant %+v", err, m, ch)
	}
	sh := fullServerHello()
	var s ServerHello
	if err := s.Decode(sh.Append(nil)[HeaderLen:]); err != nil || !reflect.DeepEqual(s, sh) {
		t.Errorf("%v\n got %+v\nwant %+v", err, s, sh)
	}
}

// Every truncation is refused, but for a hello cut before its extensions,
// which is a whole hello of an older form; so is every byte too many.
func TestTruncatedAndProlonged(t *testing.T) {
	for name, s := range samples() {
		body := s.bytes[HeaderLen:]
		for n := range body {
			again, err := s.decode(body[:n])
			if err == nil && bytes.Equal(again[HeaderLen:], body[:n]) {
				if name == "ClientHello" || name == "ServerHello" {
					continue
				}
			}
			var e *Error
			if !errors.As(err, &e) || e.Kind != Malformed || e.Reason == "" {
				t.Errorf("%s cut to %d of %d: %v", name, n, len(body), err)
			}
		}
		if _, err := s.decode(append(bytes.Clone(body), 0)); err == nil {
			t.Errorf("%s with a byte too many was accepted", name)
		}
	}
}

func TestClientHelloQuestions(t *testing.T) {
	m := fullClientHello()
	if !m.HasSuite(0x00a8) || m.HasSuite(0x8c00) || m.HasSuite(0x00ae) {
		t.Error("HasSuite")
	}
	if !m.HasGroup(23) || m.HasGroup(24) {
		t.Error("HasGroup")
	}
	if !m.HasVersion(Version12) || m.HasVersion(0x0302) {
		t.Error("HasVersion with the extension")
	}
	m.Versions = nil
	if !m.HasVersion(0x0301) || m.HasVersion(0x0304) {
		t.Error("HasVersion without the extension")
	}
	if !m.HasUncompressedPoints() {
		t.Error("HasUncompressedPoints")
	}
	m.Points = []byte{1, 2}
	if m.HasUncompressedPoints() {
		t.Error("HasUncompressedPoints without 0")
	}
	if m.Points = nil; !m.HasUncompressedPoints() {
		t.Error("HasUncompressedPoints without the extension")
	}
	if m.Compression = []byte{1}; m.HasNullCompression() {
		t.Error("HasNullCompression")
	}
}

func TestNames(t *testing.T) {
	for typ := range byte(30) {
		if MessageName(typ) == "" {
			t.Errorf("type %d has no name", typ)
		}
	}
	if got := (&Error{TypeFinished, Illegal, "why"}).Error(); got != "Finished: why" {
		t.Error(got)
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	body := func() []byte { m := fullClientHello(); return m.Append(nil)[HeaderLen:] }()
	var m ClientHello
	if n := testing.AllocsPerRun(100, func() {
		if m.Decode(body) != nil {
			t.Error("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzDecode: any bytes give either an *Error, or a message that, appended and
// decoded again, is the same message.
func FuzzDecode(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.bytes[HeaderLen:])
	}
	decoders := []decoder{decodeClientHello, decodeServerHello,
		decodeServerKeyExchange(false), decodeServerKeyExchange(true),
		decodeClientKeyExchange(false), decodeClientKeyExchange(true)}
	f.Fuzz(func(t *testing.T, body []byte) {
		defer ceiling.Bytes(ceiling.Lots + 64*len(body)).Hold(t)()
		for i, decode := range decoders {
			again, err := decode(body)
			if err != nil {
				var e *Error
				if !errors.As(err, &e) {
					t.Fatalf("decoder %d: %T for %x", i, err, body)
				}
				continue
			}
			third, err := decode(again[HeaderLen:])
			if err != nil || !bytes.Equal(third, again) {
				t.Fatalf("decoder %d: %x became %x became %x (%v)", i, body, again, third, err)
			}
		}
	})
}
