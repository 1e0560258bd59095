package packet_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sampan/packet"
)

// TestSubscribeRefusal: each filter that the limits refuse is explained, each
// other one is not (MQTT-3.8.4-5).
func TestSubscribeRefusal(t *testing.T) {
	lim := packet.DefaultLimits()
	lim.Filters = 5
	lim.SubscribeQoS2 = packet.Refuse
	var sent packet.Subscribe
	sent.ID = 1
	filters := []struct {
		filter       string
		qos          byte
		rule         packet.Rule
		limit, value int
	}{
		{"a", 0, "", 0, 0},
		{strings.Repeat("b", 129), 1, packet.RuleLimitTopic, 128, 129},
		{"/1/2/3/4/5/6/7/8", 1, packet.RuleLimitTopicLevel, 7, 8},
		{"d", 2, packet.RuleLimitQoS2, 1, 2},
		{"e", 1, "", 0, 0},
		{"f", 1, packet.RuleLimitFilters, 5, 6},
		{"g", 2, packet.RuleLimitFilters, 5, 7},
	}
	for _, f := range filters {
		sent.Add([]byte(f.filter), f.qos)
	}
	raw := sent.AppendTo(nil)
	frame, _, _, err := packet.Next(raw, &lim)
	if err != nil {
		t.Fatal(err)
	}
	var s packet.Subscribe
	if err := s.Decode(frame, &lim); err != nil {
		t.Fatal(err)
	}
	if s.Refused != 5 || s.Len() != len(filters) {
		t.Errorf("%d of %d filters refused", s.Refused, s.Len())
	}
	i := 0
	for filter, qos := range s.All() {
		want, e := filters[i], s.Refusal(i)
		if (qos == packet.SubackFailure) != (want.rule != "") || (e == nil) != (want.rule == "") {
			t.Fatalf("filter %d: QoS %#x, %v", i, qos, e)
		}
		if e != nil {
			if e.Rule != want.rule || e.Limit != want.limit || e.Value != want.value || e.Fatal() || e.Type != packet.TypeSubscribe {
				t.Errorf("filter %d: %+v", i, *e)
			}
			if !bytes.HasPrefix(raw[e.Offset:], filter) {
				t.Errorf("filter %d does not stand at %d", i, e.Offset)
			}
		}
		i++
	}
	for _, i := range []int{-1, len(filters), 1000} {
		if e := s.Refusal(i); e != nil {
			t.Errorf("there is no filter %d: %v", i, e)
		}
	}
	i = 0
	for filter, qos := range s.Asked() {
		if string(filter) != filters[i].filter || qos != filters[i].qos {
			t.Errorf("filter %d: %s was asked with QoS %d", i, filter, qos)
		}
		i++
	}
	if i != len(filters) {
		t.Errorf("%d filters were asked for", i)
	}
}

// TestSubscribeStopsEarly: a loop over the filters may be left.
func TestSubscribeStopsEarly(t *testing.T) {
	s := packet.Subscribe{ID: 1}
	u := packet.Unsubscribe{ID: 1}
	for _, f := range []string{"a", "b", "c"} {
		s.Add([]byte(f), 1)
		u.Add([]byte(f))
	}
	count := 0
	for range s.All() {
		count++
		break
	}
	for range s.Asked() {
		count++
		break
	}
	for range u.All() {
		count++
		break
	}
	if count != 3 {
		t.Errorf("%d steps", count)
	}
}

// TestSubscribeAllUnderNoLimits: without limits All shows what was asked for.
func TestSubscribeAllUnderNoLimits(t *testing.T) {
	type entry struct {
		Filter string
		QoS    byte
	}
	rapid.Check(t, func(t *rapid.T) {
		s := subscribes().Draw(t, "subscribe")
		var all, asked []entry
		for f, q := range s.All() {
			all = append(all, entry{string(f), q})
		}
		for f, q := range s.Asked() {
			asked = append(asked, entry{string(f), q})
		}
		if diff := cmp.Diff(all, asked); diff != "" || len(all) != s.Len() {
			t.Fatalf("%d filters:\n%s", s.Len(), diff)
		}
	})
}
