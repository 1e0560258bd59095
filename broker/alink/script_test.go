package alink_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"sampan/broker/alink"
	"sampan/broker/brokertest"
	"sampan/broker/device"
	"sampan/packet"
)

var update = flag.Bool("update", false, "write what was answered into the scripts")

// answers is where a Service publishes to.
type answers struct{ lines []string }

func (a *answers) Publish(_ context.Context, topic string, payload []byte, qos byte) (int, error) {
	a.lines = append(a.lines, fmt.Sprintf("< %s %s", topic, payload))
	return 1, nil
}

// The scripts in testdata say what a device asks ("> topic payload") and what it is answered ("< topic
// payload"); "! " is what a server within the process is told. "@ 1s" lets time pass, "% desire name value version" has a server say what a property is to be, and "$n(...)" in a payload
// is the text in the parentheses, n times. -update writes the answers.
func TestScripts(t *testing.T) { brokertest.Scripts(t, *update, start) }

// start makes a Service, with the device pk/dev1, and returns what carries out a script's line.
func start(t *testing.T) func(line string) []string {
	now := time.Date(2018, 6, 1, 12, 0, 0, 0, time.UTC)
	registry := device.New(device.Options{})
	if _, err := registry.CreateProduct(device.ProductSpec{Key: "pk", Name: "one"}); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.CreateDevice("pk", device.DeviceSpec{Name: "dev1"}); err != nil {
		t.Fatal(err)
	}
	out := new(answers)
	s := alink.New(alink.Options{
		Registry: registry, Now: func() time.Time { return now },
		Firmware: func(_, _, module, _ string) *alink.Firmware {
			if module != "default" {
				return nil
			}
			return &alink.Firmware{Version: "2.0", URL: "http://h/f?a=1&b=2", Size: 7, Sign: "abc", SignMethod: "SHA256"}
		},
		Config: func(string) *alink.ConfigFile {
			return &alink.ConfigFile{ID: "c1", Size: 9, Sign: "abc", URL: "http://h/c"}
		},
	})
	s.Use(out)
	s.Watch(func(e alink.Event) {
		out.lines = append(out.lines, fmt.Sprintf("! %d %s %s%s", e.Kind, e.Name, e.Params, e.Raw))
	})
	s.WatchAnswers(func(productKey, deviceName, path string, a alink.Answer) {
		b, _ := json.Marshal(a)
		out.lines = append(out.lines, fmt.Sprintf("! answer to %s %s", path, b))
	})
	return func(line string) []string {
		switch {
		case strings.HasPrefix(line, "@ "):
			d, err := time.ParseDuration(line[2:])
			if err != nil {
				t.Fatal(err)
			}
			now = now.Add(d)
		case strings.HasPrefix(line, "% desire "):
			var name, value string
			var version int64
			if _, err := fmt.Sscan(line[len("% desire "):], &name, &value, &version); err != nil {
				t.Fatal(err)
			}
			now, id, err := s.SetDesired("pk", "dev1", map[string]json.RawMessage{name: json.RawMessage(value)}, map[string]int64{name: version})
			if err != nil {
				return []string{"! " + err.Error()}
			}
			lines := append(out.lines, fmt.Sprintf("! desired %v, request %q", now, id))
			out.lines = nil
			return lines
		case strings.HasPrefix(line, "> "):
			topic, payload, _ := strings.Cut(line[2:], " ")
			if !s.Wants([]byte(topic)) {
				return []string{"! not wanted"}
			}
			p := &packet.Publish{Topic: []byte(topic), Payload: []byte(repeat(payload))}
			if !s.Intercept(nil, p) {
				t.Errorf("%s was not taken", topic)
			}
			clear(p.Payload) // it was a view
			lines := out.lines
			out.lines = nil
			return lines
		}
		return nil
	}
}

// repeat carries out the first "$n(...)".
func repeat(s string) string {
	before, rest, found := strings.Cut(s, "$")
	var n int
	if _, err := fmt.Sscanf(rest, "%d(", &n); !found || err != nil {
		return s
	}
	_, rest, _ = strings.Cut(rest, "(")
	text, rest, _ := strings.Cut(rest, ")")
	return before + strings.Repeat(text, n) + rest
}
