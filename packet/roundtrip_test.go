package packet_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"sampan/packet"
)

// sameView compares decoded values by what a caller sees of them.
var sameView = cmp.Options{
	cmpopts.EquateEmpty(),
	cmp.Transformer("filters", func(s packet.Subscribe) any {
		type entry struct {
			Filter string
			QoS    byte
		}
		var list []entry
		for f, q := range s.All() {
			list = append(list, entry{string(f), q})
		}
		return []any{s.ID, s.Dup, s.Len(), list}
	}),
	cmp.Transformer("filters", func(u packet.Unsubscribe) any {
		var list []string
		for f := range u.All() {
			list = append(list, string(f))
		}
		return []any{u.ID, u.Dup, u.Len(), list}
	}),
}

// TestValueBytesValue: what Check accepts, AppendTo encodes in exactly Size
// bytes, behind whatever is there, and Decode returns unchanged.
func TestValueBytesValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := packets().Draw(t, "packet")
		if err := p.Check(nil); err != nil {
			t.Fatalf("Check of a legal packet: %v", err)
		}
		prefix := []byte("before")
		raw := p.AppendTo(prefix)
		if !bytes.HasPrefix(raw, prefix) || len(raw) != len(prefix)+p.Size() {
			t.Fatalf("appended %d bytes to %d, Size says %d", len(raw)-len(prefix), len(prefix), p.Size())
		}
		raw = raw[len(prefix):]
		f, n, _, err := packet.Next(raw, nil)
		if err != nil || n != len(raw) {
			t.Fatalf("Next: n=%d of %d, %v", n, len(raw), err)
		}
		back := newPacket(f.Type())
		if err := back.Decode(f, nil); err != nil {
			t.Fatalf("Decode: %v", err)
		}
		if diff := cmp.Diff(p, back, sameView); diff != "" {
			t.Fatalf("%s comes back changed:\n%s", short(raw), diff)
		}
	})
}

// TestBytesValueBytes: bytes that decode come back the same if they are
// canonical, that is if their remaining length is in its shortest form.
func TestBytesValueBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := encodedPackets().Draw(t, "raw")
		// A changed byte makes most packets illegal; some stay legal.
		for range rapid.IntRange(0, 2).Draw(t, "changes") {
			at := rapid.IntRange(0, min(len(raw)-1, 40)).Draw(t, "at")
			raw[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		f, n, _, err := packet.Next(raw, nil)
		if err != nil || n == 0 {
			return
		}
		raw = raw[:n]
		p := newPacket(f.Type())
		if p == nil {
			if back := appendBodyless(f.Type()); n == 2 && !bytes.Equal(back, raw) {
				t.Fatalf("%x became %x", raw, back)
			}
			return
		}
		if p.Decode(f, nil) != nil {
			return
		}
		back := p.AppendTo(nil)
		if len(back) == len(raw) && !bytes.Equal(back, raw) || len(back) > len(raw) {
			t.Fatalf("%s\nbecame\n%s", short(raw), short(back))
		}
		if len(back) < len(raw) && !bytes.Equal(back[len(back)-len(f.Body()):], f.Body()) {
			t.Fatalf("%s\nbecame\n%s", short(raw), short(back))
		}
	})
}

// TestDecodedIsLegal: what Decode accepts under limits, Check accepts under the
// same limits, for every packet but those from which something was ignored.
func TestDecodedIsLegal(t *testing.T) {
	lim := packet.DefaultLimits()
	rapid.Check(t, func(t *rapid.T) {
		raw := encodedPackets().Draw(t, "raw")
		f, _, _, err := packet.Next(raw, &lim)
		if err != nil {
			return
		}
		p := newPacket(f.Type())
		if p == nil || p.Decode(f, &lim) != nil {
			return
		}
		if err := p.Check(&lim); err != nil {
			t.Fatalf("%s: decoded, but Check says %v", short(raw), err)
		}
	})
}

// TestSplitAnywhere: however a stream is cut into pieces, the same frames come
// out, by Next over a growing buffer and by Reader.
func TestSplitAnywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(encodedPackets(), 1, 6).Draw(t, "packets")
		stream := bytes.Join(list, nil)
		pieces := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(1, 12), rapid.IntRange(1, 40_000)), 1, 20).Draw(t, "pieces")

		var got [][]byte
		var buf []byte
		for i, rest := 0, stream; len(rest) > 0; i++ {
			n := min(pieces[i%len(pieces)], len(rest))
			buf, rest = append(buf, rest[:n]...), rest[n:]
			for {
				f, n, need, err := packet.Next(buf, nil)
				if err != nil {
					t.Fatal(err)
				}
				if n == 0 {
					if need < 1 || need > len(rest) && len(buf) > 0 {
						t.Fatalf("need %d, only %d are coming", need, len(rest))
					}
					break
				}
				got = append(got, bytes.Clone(f.Raw))
				buf = buf[n:]
			}
		}
		if diff := cmp.Diff(list, got); diff != "" {
			t.Fatalf("by Next:\n%s", diff)
		}

		got = nil
		r := packet.NewReader(&chunks{data: stream, sizes: pieces}, nil)
		for {
			f, err := r.Next()
			if err != nil {
				if err != errEnd || r.Buffered() != 0 {
					t.Fatalf("the Reader ends with %v and %d bytes", err, r.Buffered())
				}
				break
			}
			got = append(got, bytes.Clone(f.Raw))
		}
		if diff := cmp.Diff(list, got); diff != "" {
			t.Fatalf("by Reader:\n%s", diff)
		}
	})
}
