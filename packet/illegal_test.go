package packet_test

import (
	"bytes"
	"errors"
	"testing"

	"sampan/packet"
)

func TestAppendFrame(t *testing.T) {
	for _, tt := range []struct {
		first byte
		body  []byte
		want  string
	}{
		{0xff, nil, "\xff\x00"},
		{0x36, []byte{0, 1, 'a'}, "\x36\x03\x00\x01a"},
		{0x00, bytes.Repeat([]byte{'x'}, 128), "\x00\x80\x01" + string(bytes.Repeat([]byte{'x'}, 128))},
	} {
		if got := packet.AppendFrame([]byte("before"), tt.first, tt.body); string(got) != "before"+tt.want {
			t.Errorf("%x, want %x", got, tt.want)
		}
	}
	if got := packet.AppendFrame(nil, 0x30, make([]byte, packet.MaxRemaining+1)); got != nil {
		t.Errorf("%d bytes of a body that no length can tell", len(got))
	}
}

func TestAppendClaim(t *testing.T) {
	for _, tt := range []struct {
		claim, width int
		want         string
	}{
		{0, 1, "\x00"},
		{5, 1, "\x05"},
		{5, 2, "\x85\x00"},
		{0, 4, "\x80\x80\x80\x00"},
		{321, 2, "\xc1\x02"},
		{packet.MaxRemaining, 4, "\xff\xff\xff\x7f"},
		{packet.MaxRemaining, 5, "\xff\xff\xff\xff\x00"},
		{packet.MaxRemaining + 1, 5, "\x80\x80\x80\x80\x01"},
	} {
		got := packet.AppendClaim(nil, 0x30, tt.claim, tt.width, []byte("body"))
		if want := "\x30" + tt.want + "body"; string(got) != want {
			t.Errorf("%d in %d bytes: %x, want %x", tt.claim, tt.width, got, want)
		}
		_, _, _, err := packet.Next(got, nil)
		var e *packet.Error
		if tooLong := errors.As(err, &e) && e.Rule == packet.RuleRemainingLength; tooLong != (tt.width > 4) {
			t.Errorf("%x: %v", got, err)
		}
	}
}

func TestAppendField(t *testing.T) {
	if got := packet.AppendField([]byte{1}, []byte("ab"), 0xff02); string(got) != "\x01\xff\x02ab" {
		t.Errorf("%x", got)
	}
}

// TestIllegalOnPurpose: AppendTo writes what a value says, so that a tester can
// send it.
func TestIllegalOnPurpose(t *testing.T) {
	for _, tt := range []struct {
		p    coder
		want string
	}{
		{&packet.Publish{Topic: []byte("+"), QoS: 3}, "\x36\x05\x00\x01+\x00\x00"},
		{&packet.Publish{Dup: true}, "\x38\x02\x00\x00"},
		{&packet.Connect{Level: 9, HasPassword: true, WillQoS: 3, WillRetain: true}, "\x10\x0e\x00\x04MQTT\x09\x78\x00\x00\x00\x00\x00\x00"},
		{&packet.Connack{SessionPresent: true, Code: 0xff}, "\x20\x02\x01\xff"},
		{&packet.Suback{Codes: []byte{0x87}}, "\x90\x03\x00\x00\x87"},
		{&packet.Subscribe{}, "\x82\x02\x00\x00"},
		{&packet.Unsubscribe{Dup: true}, "\xaa\x02\x00\x00"},
		{&packet.Ack{Type: packet.TypePubrel, Dup: true}, "\x6a\x02\x00\x00"},
	} {
		if got := tt.p.AppendTo(nil); string(got) != tt.want {
			t.Errorf("%+v: %x, want %x", tt.p, got, tt.want)
		}
		if tt.p.Check(nil) == nil {
			t.Errorf("%+v passes for legal", tt.p)
		}
	}
}
