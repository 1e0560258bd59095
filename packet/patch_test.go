package packet_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"sampan/packet"
)

// TestPatch: a patched packet is the packet that would have been encoded with
// that identifier and DUP (MQTT-2.3.1-3, MQTT-3.3.1-1).
func TestPatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := publishes().Draw(t, "publish")
		raw := p.AppendTo(nil)
		before := bytes.Clone(raw)
		q := *p
		q.ID, q.Dup = ids().Draw(t, "id"), rapid.Bool().Draw(t, "dup")
		if done := packet.Patch(raw, q.ID, q.Dup); done != (p.QoS > 0) {
			t.Fatalf("%s: patched: %v", short(raw), done)
		}
		if p.QoS == 0 {
			if !bytes.Equal(raw, before) || p.IDOffset() != 0 {
				t.Fatalf("a QoS 0 PUBLISH was changed, or has an identifier at %d", p.IDOffset())
			}
			return
		}
		if want := q.AppendTo(nil); !bytes.Equal(raw, want) {
			t.Fatalf("%s\nwant %s", short(raw), short(want))
		}
		if at := p.IDOffset(); uint16(raw[at])<<8|uint16(raw[at+1]) != q.ID {
			t.Fatalf("IDOffset %d is not where the identifier stands", at)
		}
	})
}

func TestPatchRefusesWhatIsNotOnePublish(t *testing.T) {
	good := (&packet.Publish{Topic: []byte("a/b"), QoS: 1, ID: 1}).AppendTo(nil)
	for name, raw := range map[string][]byte{
		"nothing":         nil,
		"part of one":     good[:len(good)-1],
		"one and a byte":  append(bytes.Clone(good), 0),
		"PUBACK":          packet.AppendPuback(nil, 1),
		"topic cut off":   {0x32, 4, 0, 9, 'a', 'b'},
		"no identifier":   {0x32, 3, 0, 1, 'a'},
		"QoS 3":           {0x36, 5, 0, 1, 'a', 0, 1},
		"endless length":  {0x32, 0xff, 0xff, 0xff, 0xff, 1},
		"reserved packet": {0xf2, 5, 0, 1, 'a', 0, 1},
	} {
		before := bytes.Clone(raw)
		if packet.Patch(raw, 0x5555, true) || !bytes.Equal(raw, before) {
			t.Errorf("%s: %x became %x", name, before, raw)
		}
	}
}

// TestAppendHead: head and payload together are the packet.
func TestAppendHead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := publishes().Draw(t, "publish")
		if got, want := append(p.AppendHead(nil), p.Payload...), p.AppendTo(nil); !bytes.Equal(got, want) {
			t.Fatalf("%s\nwant %s", short(got), short(want))
		}
	})
}
