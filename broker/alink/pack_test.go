package alink_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sampan/broker/alink"
	"sampan/broker/device"
	"sampan/broker/ledger"
	"sampan/broker/quota"
	"sampan/packet"
	"sampan/session/wal"
)

// gatewayService is a Service with a gateway, pk/gate, and the devices pk/sub1 and pk/sub2 behind it.
type gatewayService struct {
	*alink.Service
	t        *testing.T
	registry *device.Registry
	kept     *ledger.Ledger
	meter    *quota.Meter
	out      *answers
}

func newGatewayService(t *testing.T) *gatewayService {
	t.Helper()
	kept, err := ledger.Open(t.TempDir(), ledger.Options{Level: wal.OS}) // one in memory does not count what is written
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close() })
	g := &gatewayService{t: t, registry: device.New(device.Options{}), kept: kept, meter: new(quota.Meter), out: new(answers)}
	if _, err := g.registry.CreateProduct(device.ProductSpec{Key: "pk", Name: "one"}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.registry.CreateDevices("pk", []device.DeviceSpec{{Name: "gate"}, {Name: "sub1"}, {Name: "sub2"}}); err != nil {
		t.Fatal(err)
	}
	g.Service = alink.New(alink.Options{Registry: g.registry, Ledger: g.kept, Meter: g.meter,
		MayPostFor: func(_, _, _, sub string) bool { return strings.HasPrefix(sub, "sub") }})
	g.Use(g.out)
	return g
}

// post has the gateway post params in one of the forms ("", "pack/", "history/", "batch/"), and returns the
// code of the answer.
func (g *gatewayService) post(form, params string) (code int) {
	g.t.Helper()
	g.out.lines = nil
	g.Intercept(nil, &packet.Publish{Topic: []byte("/sys/pk/gate/thing/event/property/" + form + "post"), Payload: []byte(`{"id":"1","params":` + params + `}`)})
	if err := g.kept.Wait(); err != nil { // the answer has been sent then
		g.t.Fatal(err)
	}
	if len(g.out.lines) != 1 {
		g.t.Fatalf("%d answers", len(g.out.lines))
	}
	var answer struct{ Code int }
	if err := json.Unmarshal([]byte(g.out.lines[0][strings.IndexByte(g.out.lines[0], '{'):]), &answer); err != nil {
		g.t.Fatal(err)
	}
	return answer.Code
}

// record is the record of a device's properties.
func (g *gatewayService) record(name string) string {
	g.t.Helper()
	d, err := g.registry.Device("pk", name)
	if err != nil {
		g.t.Fatal(err)
	}
	b, _, err := g.kept.Get(ledger.Properties, d.IotID(), nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return string(b)
}

// object is n members with names that begin with a prefix, each of a value.
func object(prefix string, n int, value string) string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf(`"%s%d":%s`, prefix, i, value)
	}
	return "{" + strings.Join(members, ",") + "}"
}

// list is an item n times.
func list(item string, n int) string {
	return "[" + strings.Join(slices.Repeat([]string{item}, n), ",") + "]"
}

// history is the entry of a history post.
func history(name, rows string) string {
	return `{"identity":{"productKey":"pk","deviceName":"` + name + `"},"properties":` + rows + `}`
}

// The limit on the properties of a post is on what a request says of a device, whatever its form, and however many
// entries that is in; and so is that on events.
func TestLimitsOfAPost(t *testing.T) {
	const properties, events = "properties-per-post", "events-per-pack-post"
	row := `{"p":1}`
	for _, test := range []struct {
		name, form, params string
		code               int
		rule               string // that refuses it
	}{
		{"properties", "", object("p", 200, "1"), 200, ""},
		{"one too many", "", object("p", 201, "1"), 6106, properties},
		{"rows of a history", "history/", "[" + history("gate", list(row, 200)) + "]", 200, ""},
		{"one row too many", "history/", "[" + history("gate", list(row, 201)) + "]", 6106, properties},
		{"in two entries", "history/", "[" + history("gate", list(row, 100)) + "," + history("gate", list(row, 100)) + "]", 200, ""},
		{"one too many in two entries", "history/", "[" + history("gate", list(row, 100)) + "," + history("gate", list(row, 101)) + "]", 6106, properties},
		{"one too many, and another device's between", "history/", "[" + history("sub1", list(row, 200)) + "," + history("sub2", list(row, 200)) + "," + history("sub1", list(row, 1)) + "]", 6106, properties},
		{"each device its own", "history/", "[" + history("gate", list(row, 200)) + "," + history("sub1", list(row, 200)) + "," + history("sub2", list(row, 200)) + "]", 200, ""},
		{"packed", "pack/", `{"properties":` + object("p", 200, "1") + `,"subDevices":[` + history("sub1", object("p", 200, "1")) + "]}", 200, ""},
		{"packed for a device twice", "pack/", `{"subDevices":[` + history("sub1", object("p", 100, "1")) + "," + history("sub1", object("q", 101, "1")) + "]}", 6106, properties},
		{"packed for the gateway twice", "pack/", `{"properties":` + object("p", 100, "1") + `,"subDevices":[` + history("gate", object("q", 101, "1")) + "]}", 6106, properties},
		{"a batch", "batch/", `{"properties":{"p":` + list("1", 100) + `,"q":` + list("1", 100) + "}}", 200, ""},
		{"one too many in a batch", "batch/", `{"properties":{"p":` + list("1", 100) + `,"q":` + list("1", 101) + "}}", 6106, properties},
		{"a batch of events", "batch/", `{"events":{"e":` + list("1", 100) + `,"f":` + list("1", 100) + "}}", 200, ""},
		{"one too many in a batch of events", "batch/", `{"events":{"e":` + list("1", 100) + `,"f":` + list("1", 101) + "}}", 460, events},
	} {
		g := newGatewayService(t)
		if code := g.post(test.form, test.params); code != test.code {
			t.Errorf("%s: code %d, want %d", test.name, code, test.code)
		}
		for _, rule := range []string{properties, events} {
			want := uint64(0)
			if rule == test.rule {
				want = 1
			}
			if n := g.meter.Counts()[rule]; n != want {
				t.Errorf("%s: counted %d times as %s, want %d", test.name, n, rule, want)
			}
		}
		if test.code != 200 && g.record("gate")+g.record("sub1")+g.record("sub2") != "" {
			t.Errorf("%s: something is kept of what was refused", test.name)
		}
	}
}

// What is kept of a device may be much longer than a post, and is not written again for it. What is new is written once
// a request, whatever the number of rows; each row is told.
func TestAPostOfManyRowsIsWrittenOnceForEachDevice(t *testing.T) {
	const (
		rows   = 50      // of an entry
		before = 100_000 // bytes, at least, of what is kept of each device
		record = 120     // bytes, at most, of a record of two properties
	)
	for _, test := range []struct {
		form, params string
		devices      []string
		told         int
	}{
		{"history/", "[" + history("sub1", list(`{"a":1}`, rows)) + "," + history("sub2", list(`{"a":2}`, rows)) + "," + history("sub1", list(`{"a":2}`, rows)) + "]", []string{"sub1", "sub2"}, 3 * rows},
		{"history/", "[" + history("gate", `[{},{"a":1},{},{"a":2},null]`) + "]", []string{"gate"}, 2},
		{"history/", "[" + history("gate", list(`{}`, rows)) + "]", nil, 0},
		{"batch/", `{"properties":{"a":` + strings.TrimSuffix(list("1", rows), "]") + `,2]}}`, []string{"gate"}, rows + 1},
		{"pack/", `{"properties":{"b":1},"subDevices":[` + history("gate", `{"a":1}`) + "," + history("gate", `{"a":2}`) + "]}", []string{"gate"}, 3},
	} {
		g := newGatewayService(t)
		long := `{"long":"` + strings.Repeat("x", before) + `"}`
		if code := g.post("history/", "["+history("gate", "["+long+"]")+","+history("sub1", "["+long+"]")+","+history("sub2", "["+long+"]")+"]"); code != 200 {
			t.Fatal(code)
		}
		told := 0
		g.Watch(func(alink.Event) { told++ })
		written := g.kept.Stats().LogBytes
		g.post(test.form, test.params)
		written = g.kept.Stats().LogBytes - written
		if most := record * int64(len(test.devices)); written > most {
			t.Errorf("%s%.60s: %d bytes written, want at most %d", test.form, test.params, written, most)
		}
		if told != test.told {
			t.Errorf("%s%.60s: %d posts told, want %d", test.form, test.params, told, test.told)
		}
		for _, name := range test.devices {
			if all, err := g.Properties("pk", name); err != nil || string(all["a"].Value) != "2" || len(all["long"].Value) != before+2 {
				t.Errorf("%s%.60s: %s has %d properties, a is %s (%v)", test.form, test.params, name, len(all), all["a"].Value, err)
			}
		}
	}
}

// A batch that is too long is refused before it is taken apart: nothing is made for each of its values but the
// value.
func TestABatchThatIsTooLongIsNotTakenApart(t *testing.T) {
	const values = 10_000
	for _, of := range []string{"properties", "events"} {
		g := newGatewayService(t)
		params := `{"` + of + `":{"a":` + list("1", values) + `}}`
		if n := testing.AllocsPerRun(1, func() { g.post("batch/", params) }); n > 1.5*values {
			t.Errorf("%s: %.0f allocations for %d values", of, n, values)
		}
	}
}
