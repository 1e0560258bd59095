package packet_test

import (
	"testing"

	"sampan/packet"
)

// TestAppendAcks: the five packets that are only an identifier (MQTT-2.3.1-6,
// MQTT-2.3.1-7, MQTT-3.6.1-1).
func TestAppendAcks(t *testing.T) {
	for _, tt := range []struct {
		typ    packet.Type
		append func([]byte, uint16) []byte
		want   string
	}{
		{packet.TypePuback, packet.AppendPuback, "\x40\x02\x12\x34"},
		{packet.TypePubrec, packet.AppendPubrec, "\x50\x02\x12\x34"},
		{packet.TypePubrel, packet.AppendPubrel, "\x62\x02\x12\x34"},
		{packet.TypePubcomp, packet.AppendPubcomp, "\x70\x02\x12\x34"},
		{packet.TypeUnsuback, packet.AppendUnsuback, "\xb0\x02\x12\x34"},
	} {
		if got := tt.append([]byte("x"), 0x1234); string(got) != "x"+tt.want {
			t.Errorf("%v: %x, want %x", tt.typ, got, tt.want)
		}
		if got := (&packet.Ack{Type: tt.typ, ID: 0x1234}).AppendTo(nil); string(got) != tt.want {
			t.Errorf("%v as a value: %x, want %x", tt.typ, got, tt.want)
		}
	}
}

// TestBodyless: the packets of two bytes.
func TestBodyless(t *testing.T) {
	for want, got := range map[string][]byte{
		"\xc0\x00": packet.AppendPingreq(nil),
		"\xd0\x00": packet.AppendPingresp(nil),
		"\xe0\x00": packet.AppendDisconnect(nil),
	} {
		if string(got) != want {
			t.Errorf("%x, want %x", got, want)
		}
	}
}
