package permission

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sampan/broker/device"
)

// matches is MQTT's rule for filters (section 4.7), as plainly as it can be written.
func matches(filter, topic []string) bool {
	if len(filter) > 0 && filter[0] == "#" {
		return true
	}
	if len(filter) == 0 || len(topic) == 0 {
		return len(filter) == len(topic)
	}
	return (filter[0] == "+" || filter[0] == topic[0]) && matches(filter[1:], topic[1:]) ||
		len(topic) == 1 && len(filter) == 2 && (filter[0] == "+" || filter[0] == topic[0]) && filter[1] == "#"
}

// naive is the same decision on topics by going through all rules.
type naive struct {
	publish, subscribe, auto [][]string
}

func newNaive(categories []device.Category, customRRPC bool, o Options) *naive {
	n := new(naive)
	add := func(r rule, prefix string) {
		filter := strings.Split(prefix+strings.NewReplacer("${productKey}", "pk", "${deviceName}", "dev1").Replace(r.filter), "/")
		if r.allow&publish != 0 || customRRPC && r.allow&publishRRPC != 0 {
			n.publish = append(n.publish, filter)
		}
		if r.allow&subscribe != 0 || customRRPC && r.allow&subscribeRRPC != 0 {
			n.subscribe = append(n.subscribe, filter)
		}
		if r.allow&auto != 0 && (customRRPC || r.allow&subscribeRRPC == 0) {
			n.auto = append(n.auto, filter)
		}
	}
	for i := range categories {
		add(ofCategory(&categories[i]), "/pk/dev1/")
	}
	for _, r := range append(append([]rule{}, system...), received...) {
		add(r, "/")
	}
	if o.BroadcastsReceivedOnly {
		add(broadcastsReceived, "/")
	} else {
		add(broadcasts, "/")
	}
	return n
}

func anyMatches(filters [][]string, topic []string) bool {
	for _, f := range filters {
		if matches(f, topic) {
			return true
		}
	}
	return false
}

// universe lists topics that a filter matches: every level that stands for any is each of the given ones, one
// of which no rule names, and '#' is up to deep more levels.
func universe(filter, levels []string, deep int, prefix []string, visit func(topic []string) bool) bool {
	if len(filter) == 0 {
		return visit(prefix)
	}
	switch filter[0] {
	case "#":
		if len(prefix) > 0 && !visit(prefix) {
			return false
		}
		if deep == 0 {
			return true
		}
		for _, l := range levels {
			if !universe(filter, levels, deep-1, append(prefix[:len(prefix):len(prefix)], l), visit) {
				return false
			}
		}
		return true
	case "+":
		for _, l := range levels {
			if !universe(filter[1:], levels, deep, append(prefix[:len(prefix):len(prefix)], l), visit) {
				return false
			}
		}
		return true
	}
	return universe(filter[1:], levels, deep, append(prefix[:len(prefix):len(prefix)], filter[0]), visit)
}

// A filter may be subscribed exactly if every topic that it matches may be received. Topic categories and
// filters are drawn from few levels, so that they meet in all ways.
func TestSubscribeIsAllThatItMatches(t *testing.T) {
	category := rapid.Custom(func(t *rapid.T) device.Category {
		levels := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "+"}), 1, 4).Draw(t, "levels")
		suffix := strings.Join(levels, "/")
		if len(levels) < 4 && rapid.IntRange(0, 3).Draw(t, "rest") == 0 {
			suffix += "/#"
		}
		return device.Category{Suffix: suffix, Operation: device.Subscribe}
	})
	rapid.Check(t, func(t *rapid.T) {
		categories := rapid.SliceOfN(category, 0, 8).Draw(t, "categories")
		table := NewTable(&device.Product{Key: "pk", Categories: categories}, Options{})
		c := table.For("pk", "dev1", false)
		model := newNaive(categories, false, Options{})
		for range 10 {
			filter := append([]string{"", "pk", "dev1"}, rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "z", "+", ""}), 0, 4).Draw(t, "filter")...)
			if len(filter) == 3 || rapid.Bool().Draw(t, "rest") {
				filter = append(filter, "#")
			}
			compare(t, c, model, filter, []string{"a", "b", "z"}, 4)
		}
	})
}

func compare(t *rapid.T, c *Compiled, model *naive, filter, levels []string, deep int) {
	t.Helper()
	var witness []string
	want := universe(filter, levels, deep, nil, func(topic []string) bool {
		if !anyMatches(model.subscribe, topic) {
			witness = topic
			return false
		}
		return true
	})
	text := strings.Join(filter, "/")
	v := c.MaySubscribe([]byte(text))
	if v.Reason == ByPlatform {
		return
	}
	if v.Allowed != want {
		t.Fatalf("%s: %v (%s), want %v, because of %q", text, v.Allowed, v.Reason, want, strings.Join(witness, "/"))
	}
}

// The same for the system topics: filters made of the rules' own by putting wildcards and other names into
// them, cutting them short and making them longer.
func TestSystemSubscribeIsAllThatItMatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ext := rapid.Bool().Draw(t, "ext")
		o := Options{BroadcastsReceivedOnly: rapid.Bool().Draw(t, "received only")}
		c := NewTable(&device.Product{Key: "pk"}, o).For("pk", "dev1", ext)
		model := newNaive(nil, ext, o)
		for range 20 {
			filter := drawSystem(t, true)
			compare(t, c, model, filter, []string{"z", "sys", "pk", "dev1", "thing", "rrpc", "request"}, 2)
		}
	})
}

// drawSystem makes a topic or filter that looks like one of the platform's.
func drawSystem(t *rapid.T, wildcards bool) []string {
	all := append(append([]rule{broadcasts}, system...), received...)
	r := rapid.SampledFrom(all).Draw(t, "rule")
	text := strings.NewReplacer("${productKey}", "pk", "${deviceName}", "dev1", "#", "x/y", "+", "17").Replace(r.filter)
	levels := append([]string{""}, strings.Split(text, "/")...)
	for range rapid.IntRange(0, 2).Draw(t, "changes") {
		i := rapid.IntRange(0, len(levels)-1).Draw(t, "level")
		others := []string{"pk", "dev1", "pk2", "dev2", "", "z", "sys"}
		if wildcards {
			others = append(others, "+", "+", "+", "+")
		}
		levels[i] = rapid.SampledFrom(others).Draw(t, "other")
	}
	levels = levels[:rapid.IntRange(1, len(levels)).Draw(t, "length")]
	if wildcards && rapid.IntRange(0, 2).Draw(t, "rest") == 0 {
		levels = append(levels, "#")
	}
	if len(levels) == 1 && levels[0] == "" {
		levels = append(levels, "")
	}
	return levels
}

// On topics, publishing, receiving and receiving without a subscription are what the rules say one by one.
func TestTopicsAreDecidedByTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ext := rapid.Bool().Draw(t, "ext")
		o := Options{BroadcastsReceivedOnly: rapid.Bool().Draw(t, "received only")}
		categories := []device.Category{{Suffix: "update", Operation: device.Publish}, {Suffix: "x/y", Operation: device.PublishAndSubscribe},
			{Suffix: "+/y", Operation: device.Subscribe}}
		if rapid.Bool().Draw(t, "all") {
			categories = append(categories, device.Category{Suffix: "#", Operation: device.Subscribe})
		}
		c := NewTable(&device.Product{Key: "pk", Categories: categories}, o).For("pk", "dev1", ext)
		model := newNaive(categories, ext, o)
		for range 20 {
			topic := drawSystem(t, false)
			if rapid.Bool().Draw(t, "custom") {
				topic = append([]string{"", "pk", "dev1"}, rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y", "update", ""}), 0, 3).Draw(t, "suffix")...)
			}
			text := []byte(strings.Join(topic, "/"))
			if got, want := c.MayPublish(text).Allowed, anyMatches(model.publish, topic); got != want {
				t.Fatalf("publish %s: %v, want %v", text, got, want)
			}
			if got, want := c.MayReceive(text), anyMatches(model.subscribe, topic); got != want {
				t.Fatalf("receive %s: %v, want %v", text, got, want)
			}
			if got, want := c.AutoReceives(text), anyMatches(model.auto, topic); got != want {
				t.Fatalf("receive %s without a subscription: %v, want %v", text, got, want)
			}
		}
	})
}

// What is sent to a device without a subscription may be received by it, and the wide list of subscriptions
// that stands in for that is permitted and covers it.
func TestAutoSubscriptions(t *testing.T) {
	for _, ext := range []bool{false, true} {
		c := NewTable(&device.Product{Key: "pk"}, Options{}).For("pk", "dev1", ext)
		model := newNaive(nil, ext, Options{})
		var list [][]string
		for _, filter := range c.AutoSubscriptions() {
			if v := c.MaySubscribe([]byte(filter)); !v.Allowed {
				t.Errorf("%s: %s", filter, v.Reason)
			}
			list = append(list, strings.Split(filter, "/"))
		}
		for _, filter := range model.auto {
			topic := strings.NewReplacer("+", "17", "#", "x/y").Replace(strings.Join(filter, "/"))
			if !c.MayReceive([]byte(topic)) || !c.AutoReceives([]byte(topic)) {
				t.Errorf("%s is sent and may not be received", topic)
			}
			if !anyMatches(list, strings.Split(topic, "/")) {
				t.Errorf("%s is not in the list of subscriptions", topic)
			}
		}
		for _, own := range []string{"/sys/pk/dev1/thing/event/property/post", "/shadow/update/pk/dev1", "/pk/dev1/user/get", "/sys/pk/dev1/rrpc/response/1"} {
			if c.AutoReceives([]byte(own)) {
				t.Errorf("%s is sent to the device", own)
			}
		}
	}
}
