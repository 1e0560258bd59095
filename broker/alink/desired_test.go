package alink_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"sampan/broker/alink"
	"sampan/broker/device"
)

// Whatever a device is asked last is what is desired: also if what was set later overtakes on its way.
func TestADeviceIsAskedForWhatIsDesired(t *testing.T) {
	for later, want := range map[string]string{"2": `"params":{"a":2}`, "null": ""} {
		registry := device.New(device.Options{})
		if _, err := registry.CreateProduct(device.ProductSpec{Key: "pk", Name: "one"}); err != nil {
			t.Fatal(err)
		}
		if _, err := registry.CreateDevice("pk", device.DeviceSpec{Name: "dev1"}); err != nil {
			t.Fatal(err)
		}
		var s *alink.Service
		desire := func(value string) {
			if _, _, err := s.SetDesired("pk", "dev1", map[string]json.RawMessage{"a": json.RawMessage(value)}, nil); err != nil {
				t.Error(err)
			}
		}
		overtaken := false
		s = alink.New(alink.Options{Registry: registry, Logger: slog.New(slog.DiscardHandler), Downlink: func(*device.Device) error {
			if !overtaken {
				overtaken = true
				desire(later)
			}
			return nil
		}})
		out := new(answers)
		s.Use(out)
		desire("1")
		if asked := strings.Join(out.lines, "\n"); strings.Contains(asked, `"a":1`) || !strings.Contains(asked, want) {
			t.Errorf("%s is desired, asked for is %s", later, asked)
		}
	}
}

// A device has no more desired properties than there may be, however many come at once, and who takes some away has room
// for others.
func TestDesiredPropertiesAreBounded(t *testing.T) {
	s := newRestarted(t).service()
	items := func(prefix, value string, n int) map[string]json.RawMessage {
		all := make(map[string]json.RawMessage)
		for i := range n {
			all[fmt.Sprint(prefix, i)] = json.RawMessage(value)
		}
		return all
	}
	set := func(items map[string]json.RawMessage) error {
		_, _, err := s.SetDesired("pk", "dev1", items, nil)
		return err
	}
	if err := set(items("a", "1", 1001)); !errors.Is(err, alink.ErrVersion) {
		t.Errorf("1001 at once: %v", err)
	}
	if err := set(items("a", "1", 1000)); err != nil {
		t.Errorf("1000: %v", err)
	}
	if err := set(items("b", "1", 1)); !errors.Is(err, alink.ErrVersion) {
		t.Errorf("one more: %v", err)
	}
	instead := items("b", "1", 1)
	instead["a0"] = json.RawMessage("null")
	if err := set(instead); err != nil {
		t.Errorf("one in place of another: %v", err)
	}
	if all, err := s.Desired("pk", "dev1"); err != nil || len(all) != 1000 {
		t.Errorf("%d are desired, %v", len(all), err)
	}
}
