package alink_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sampan/broker/alink"
	"sampan/broker/device"
	"sampan/broker/ledger"
	"sampan/packet"
)

// The times of a shadow's attributes are kept with it. A shadow that was kept when there was one time for all of
// them has that for each.
func TestTheTimesOfAShadowsAttributesAreKept(t *testing.T) {
	registry := device.New(device.Options{})
	if _, err := registry.CreateProduct(device.ProductSpec{Key: "pk", Name: "one"}); err != nil {
		t.Fatal(err)
	}
	d, err := registry.CreateDevice("pk", device.DeviceSpec{Name: "dev1"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_000, 0)
	kept := ledger.New(ledger.Options{})
	service := func() *alink.Service { // as after a start: nothing is in its memory
		s := alink.New(alink.Options{Registry: registry, Ledger: kept, Now: func() time.Time { return now }})
		s.Use(new(answers))
		return s
	}
	update := func(s *alink.Service, payload string) {
		s.Intercept(nil, &packet.Publish{Topic: []byte("/shadow/update/pk/dev1"), Payload: []byte(payload)})
	}
	metadata := func(s *alink.Service) string {
		t.Helper()
		b, err := s.Shadow("pk", "dev1")
		if err != nil {
			t.Fatal(err)
		}
		var m struct {
			Payload struct{ Metadata json.RawMessage }
		}
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		return string(m.Payload.Metadata)
	}

	old := `{"reported":{"a":1,"b":2},"desired":{"a":3},"version":4,"changed":500}`
	if err := kept.Put(ledger.Shadow, ledger.Record{Key: d.IotID(), Value: []byte(old)}); err != nil {
		t.Fatal(err)
	}
	s := service()
	if got, want := metadata(s), `{"desired":{"a":{"timestamp":500}},"reported":{"a":{"timestamp":500},"b":{"timestamp":500}}}`; got != want {
		t.Errorf("kept before:\n%s, want\n%s", got, want)
	}
	update(s, `{"method":"update","state":{"reported":{"b":5}},"version":5}`)
	now = time.Unix(2_000, 0)
	if err := s.UpdateShadow("pk", "dev1", []byte(`{"method":"update","state":{"desired":{"c":1}},"version":6}`)); err != nil {
		t.Fatal(err)
	}
	want := `{"desired":{"a":{"timestamp":500},"c":{"timestamp":2000}},"reported":{"a":{"timestamp":500},"b":{"timestamp":1000}}}`
	if got := metadata(s); got != want {
		t.Errorf("%s, want\n%s", got, want)
	}
	if got := metadata(service()); got != want {
		t.Errorf("after a start:\n%s, want\n%s", got, want)
	}
	// An attribute that is gone leaves no time behind, neither in the answer nor in what is kept.
	update(s, `{"method":"delete","state":{"reported":{"b":""},"desired":"null"},"version":7}`)
	if got, want := metadata(service()), `{"reported":{"a":{"timestamp":500}}}`; got != want {
		t.Errorf("%s, want\n%s", got, want)
	}
	record, _, err := kept.Get(ledger.Shadow, d.IotID(), nil)
	if err != nil || strings.Contains(string(record), `"b"`) || strings.Contains(string(record), "desired") {
		t.Errorf("kept: %s, %v", record, err)
	}
}
