package alink_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"sampan/broker/alink"
	"sampan/broker/alink/envelope"
	"sampan/broker/device"
	"sampan/broker/ledger"
	"sampan/packet"
)

// restarted is what a Service for the device pk/dev1 works with when it comes anew: nothing is in its memory.
type restarted struct {
	t        *testing.T
	registry *device.Registry
	kept     *ledger.Ledger
	log      bytes.Buffer
}

func newRestarted(t *testing.T) *restarted {
	t.Helper()
	r := &restarted{t: t, registry: device.New(device.Options{}), kept: ledger.New(ledger.Options{})}
	if _, err := r.registry.CreateProduct(device.ProductSpec{Key: "pk", Name: "one"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.registry.CreateDevice("pk", device.DeviceSpec{Name: "dev1"}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *restarted) service() *alink.Service {
	s := alink.New(alink.Options{Registry: r.registry, Ledger: r.kept, Logger: slog.New(slog.NewTextHandler(&r.log, nil))})
	s.Use(new(answers))
	return s
}

// post returns the answer to a property post.
func (r *restarted) post(s *alink.Service, params string) string {
	out := new(answers)
	s.Use(out)
	s.Intercept(nil, &packet.Publish{Topic: []byte("/sys/pk/dev1/thing/event/property/post"), Payload: []byte(`{"id":"1","params":` + params + `}`)})
	if err := r.kept.Wait(); err != nil { // the answer has been sent then
		r.t.Fatal(err)
	}
	return strings.Join(out.lines, "\n")
}

// nested is n lists, each in the next.
func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

// What a device or a server sends is not kept if it is nested so deeply that it could not be read again: as text,
// the parameters may have all the levels that JSON may have, and what is kept has some around them.
func TestWhatIsKeptCanBeReadAgain(t *testing.T) {
	for _, levels := range []int{envelope.MaxDepth, envelope.MaxDepth + 1, 9_998, 9_999} {
		r := newRestarted(t)
		want, code := levels <= envelope.MaxDepth, `"code":460`
		if want {
			code = `"code":200`
		}
		s := r.service()
		object := `{"p":` + nested(levels-1) + `}`
		for _, params := range []string{object, `"{\"p\":` + nested(levels-1) + `}"`} {
			if answer := r.post(s, params); !strings.Contains(answer, code) {
				t.Errorf("%d levels: answered %s, want %s", levels, answer, code)
			}
		}
		value := nested(levels)
		if _, _, err := s.SetDesired("pk", "dev1", map[string]json.RawMessage{"p": json.RawMessage(value)}, nil); (err == nil) != want || alink.IsTooLarge(err) == want {
			t.Errorf("%d levels desired: %v", levels, err)
		}
		s = r.service()
		if all, err := s.Properties("pk", "dev1"); err != nil || (len(all) == 1) != want {
			t.Errorf("%d levels: %d properties after a start, %v", levels, len(all), err)
		}
		if all, err := s.Desired("pk", "dev1"); err != nil || (len(all) == 1) != want {
			t.Errorf("%d levels: %d desired properties after a start, %v", levels, len(all), err)
		}
		if answer := r.post(s, `{"q":1}`); !strings.Contains(answer, `"code":200`) {
			t.Errorf("%d levels: after a start %s", levels, answer)
		}
	}
}

// A record that cannot be read, because an earlier version has written what it could not read or another one what
// this one does not know, is as good as none. It is logged once, and replaced by what comes next.
func TestARecordThatCannotBeReadIsAsGoodAsNone(t *testing.T) {
	for _, test := range []struct {
		kind  ledger.Kind
		who   string
		empty func(s *alink.Service) (bool, error)
		set   func(s *alink.Service) error
	}{
		{ledger.Properties, "device=pk/dev1",
			func(s *alink.Service) (bool, error) {
				all, err := s.Properties("pk", "dev1")
				return len(all) == 0, err
			},
			func(s *alink.Service) error {
				s.Intercept(nil, &packet.Publish{Topic: []byte("/sys/pk/dev1/thing/event/property/post"), Payload: []byte(`{"id":"1","params":{"a":1}}`)})
				return nil
			}},
		{ledger.Desired, "device=pk/dev1",
			func(s *alink.Service) (bool, error) { all, err := s.Desired("pk", "dev1"); return len(all) == 0, err },
			func(s *alink.Service) error {
				_, _, err := s.SetDesired("pk", "dev1", map[string]json.RawMessage{"a": json.RawMessage("1")}, nil)
				return err
			}},
		{ledger.Shadow, "device=pk/dev1",
			func(s *alink.Service) (bool, error) {
				b, err := s.Shadow("pk", "dev1")
				return bytes.Contains(b, []byte(`"state":{"reported":{}}`)), err
			},
			func(s *alink.Service) error {
				return s.UpdateShadow("pk", "dev1", []byte(`{"method":"update","state":{"desired":{"a":1}},"version":1}`))
			}},
		{ledger.Versions, "device=pk/dev1",
			func(s *alink.Service) (bool, error) {
				all, err := s.FirmwareVersions("pk", "dev1")
				return len(all) == 0, err
			},
			func(s *alink.Service) error {
				s.Intercept(nil, &packet.Publish{Topic: []byte("/ota/device/inform/pk/dev1"), Payload: []byte(`{"id":"1","params":{"version":"1"}}`)})
				return nil
			}},
		{ledger.Configs, "product=pk",
			func(s *alink.Service) (bool, error) { f, err := s.Config("pk"); return f == nil, err },
			func(s *alink.Service) error { return s.SetConfig("pk", &alink.ConfigFile{ID: "c1"}) }},
	} {
		// No JSON; JSON of another form; a form of which a part is read before the error.
		for _, record := range []string{`{"a":` + nested(10_000) + `}`, `[1]`, `{"a":{"v":1},"b":[],"reported":{"a":1},"version":[],"configId":"x","configSize":[]}`} {
			r := newRestarted(t)
			d, err := r.registry.Device("pk", "dev1")
			if err != nil {
				t.Fatal(err)
			}
			key := d.IotID()
			if test.kind == ledger.Configs {
				key = "pk"
			}
			if err := r.kept.Put(test.kind, ledger.Record{Key: key, Value: []byte(record)}); err != nil {
				t.Fatal(err)
			}
			s := r.service()
			for range 2 {
				if empty, err := test.empty(s); !empty || err != nil {
					t.Errorf("%v, %.20s: empty %v, %v", test.kind, record, empty, err)
				}
			}
			log := r.log.String()
			if strings.Count(log, "\n") != 1 || !strings.Contains(log, "level=WARN") || !strings.Contains(log, test.who) || !strings.Contains(log, "kind="+test.kind.String()) {
				t.Errorf("%v, %.20s: logged\n%s", test.kind, record, log)
			}
			r.log.Reset()
			if err := test.set(s); err != nil {
				t.Errorf("%v, %.20s: %v", test.kind, record, err)
			}
			if empty, err := test.empty(r.service()); empty || err != nil {
				t.Errorf("%v, %.20s: after a start empty %v, %v", test.kind, record, empty, err)
			}
			if log := r.log.String(); log != "" {
				t.Errorf("%v, %.20s: logged after it was replaced\n%s", test.kind, record, log)
			}
		}
	}
}

// The same holds for what a server says of firmware.
func TestFirmwareThatIsKeptCanBeReadAgain(t *testing.T) {
	for _, levels := range []int{envelope.MaxDepth, 9_999} {
		r := newRestarted(t)
		err := r.service().Upgrade("pk", "dev1", &alink.Firmware{Version: "2", ExtData: json.RawMessage(nested(levels))})
		if refused := alink.IsTooLarge(err); refused != (levels > envelope.MaxDepth) {
			t.Errorf("%d levels: %v", levels, err)
		}
		out := new(answers)
		s := r.service()
		s.Use(out)
		s.Intercept(nil, &packet.Publish{Topic: []byte("/sys/pk/dev1/thing/ota/firmware/get"), Payload: []byte(`{"id":"1","params":{}}`)})
		if there := strings.Contains(out.lines[0], `"version":"2"`); there != (err == nil) {
			t.Errorf("%d levels, %v: %.100s\n%s", levels, err, out.lines[0], &r.log)
		}
	}
}
