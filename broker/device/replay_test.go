package device

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sampan/internal/ceiling"
)

// FuzzReplay opens a registry from any log. data is records, each behind its length in one byte. Either the
// log is refused with the place of the record, or the registry works: it can be looked at, changed, and
// written down again, and what was written down is the same.
func FuzzReplay(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		defer ceiling.Bytes(2*ceiling.Lots + 64*len(data)).Hold(t)()
		l := new(memoryLog)
		for len(data) > 0 {
			n := min(int(data[0]), len(data)-1)
			l.entries = append(l.entries, data[1:1+n])
			data = data[1+n:]
		}
		// A number may be out of all proportion, and the table then is as large: keep that out here.
		for _, e := range l.entries {
			c := cursor{b: e}
			if c.byte() == entryDevice {
				c.text()
				if c.number() > 1<<16 {
					return
				}
			}
		}
		r, err := open(l, Options{})
		if err != nil {
			var damaged *Damaged
			if !errors.As(err, &damaged) || damaged.Pos < 1 || int(damaged.Pos) > len(l.entries) {
				t.Fatalf("%v", err)
			}
			return
		}
		if err := r.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		for p := range r.Products() {
			for d := range r.Devices(p.Key, 0) {
				found, err := r.Lookup([]byte(p.Key), d.Name())
				if err != nil || found.Number() != d.Number() || !bytes.Equal(found.Secret(), d.Secret()) {
					t.Fatalf("%s/%s: %v", p.Key, d.Name(), err)
				}
				if _, err := r.Disable(p.Key, string(d.Name())); err != nil {
					t.Fatal(err)
				}
			}
		}
		other, err := open(l.reopened(len(l.entries)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(dump(r), dump(other)); diff != "" {
			t.Fatalf("reopened:\n%s", diff)
		}
	})
}

func TestReplayOfEachKindOfRecord(t *testing.T) {
	b := body{secret: "s3cret", created: 1_700_000_000_000, nickname: "lamp", tags: []Tag{{"room", "kitchen"}}, tokens: []Token{{"id", "token"}}}
	l := new(memoryLog)
	l.entries = [][]byte{
		appendCounters(nil, 9),
		appendProduct(nil, &Product{ID: 1, Key: "pk", Secret: "ps", Name: "lamps", NodeType: Gateway, DataFormat: Alink, DynamicRegistration: true, SyncServices: []string{"reboot", "add"},
			Authorities: []KeyFingerprint{{1}, {2}},
			Categories:  []Category{{ID: 2, Suffix: "user/get", Operation: Subscribe, Note: "n"}}}, 3, 9),
		appendDevice(nil, "pk", 1, 0, []byte("dev1"), b.appendTo(nil)),
		appendDevice(nil, "pk", 2, 0, []byte("dev2"), b.appendTo(nil)),
		appendDeviceState(nil, "pk", 1, 1_700_000_000_001),
		appendDeviceDeleted(nil, "pk", 2),
		appendAccessKey(nil, &AccessKey{ID: "ak", Secret: "as", Note: "app", Disabled: true}),
		appendText([]byte{entryAccessKeyDelete}, "gone"),
		appendText([]byte{entryProductDeleted}, "gone"),
		appendDevice(nil, "gone", 1, 0, []byte("dev1"), b.appendTo(nil)),
		binary.AppendUvarint(appendText([]byte{entryDeviceState}, "gone"), 1<<20+1),
	}
	last := len(l.entries) - 1
	l.entries[last] = binary.AppendUvarint(l.entries[last], 0)
	r, err := open(l, Options{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := r.Device("pk", "dev1")
	if err != nil {
		t.Fatal(err)
	}
	info := d.Info()
	if info.Nickname != "lamp" || info.Activated.UnixMilli() != 1_700_000_000_001 || len(info.Tags) != 1 || len(info.Tokens) != 1 || d.Number() != 1 {
		t.Errorf("%+v", info)
	}
	if _, err := r.Device("pk", "dev2"); !errors.Is(err, ErrNoDevice) {
		t.Error(err)
	}
	next, err := r.CreateDevice("pk", DeviceSpec{})
	if err != nil || next.Number() != 3 || r.nextID != 9 {
		t.Errorf("the next device has number %d, the next thing ID %d, %v", next.Number(), r.nextID, err)
	}
	if p, err := r.Product("pk"); err != nil || p.NodeType != Gateway || p.DataFormat != Alink || !p.DynamicRegistration || p.Categories[0].Note != "n" || len(p.SyncServices) != 2 || p.SyncServices[1] != "add" {
		t.Errorf("%+v %v", p, err)
	}
	if k, err := r.AccessKey("ak"); err != nil || !k.Disabled || k.Note != "app" {
		t.Errorf("%+v %v", k, err)
	}
}
