package alink_test

import (
	"encoding/json"
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
