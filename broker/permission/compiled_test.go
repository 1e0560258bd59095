package permission

import (
	"bufio"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sampan/broker/device"
)

// lines reads a file of testdata into its fields, without comments.
func lines(t testing.TB, name string) (list [][]string) {
	t.Helper()
	file, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for in := bufio.NewScanner(file); in.Scan(); {
		if text := in.Text(); text != "" && !strings.HasPrefix(text, "# ") {
			list = append(list, strings.Fields(text))
		}
	}
	if len(list) == 0 {
		t.Fatalf("%s is empty", name)
	}
	return list
}

// product makes a product with the default topic categories and some more.
func product(t testing.TB, more ...device.Category) *device.Product {
	t.Helper()
	r := device.New(device.Options{})
	p, err := r.CreateProduct(device.ProductSpec{Key: "pk"})
	if err != nil {
		t.Fatal(err)
	}
	changed := *p
	changed.Categories = append(changed.Categories[:len(changed.Categories):len(changed.Categories)], more...)
	return &changed
}

func TestDecisions(t *testing.T) {
	var more []device.Category
	decided := 0
	for _, f := range lines(t, "decisions.txt") {
		if f[0] == "category" {
			o, ok := device.ParseOperation(f[2])
			if !ok {
				t.Fatal(f)
			}
			more = append(more, device.Category{Suffix: f[1], Operation: o})
			continue
		}
		var o Options
		ext := false
		switch f[0] {
		case "ext":
			ext, f = true, f[1:]
		case "2019":
			o.BroadcastsReceivedOnly, f = true, f[1:]
		}
		if len(f) != 4 {
			t.Fatal(f)
		}
		c := NewTable(product(t, more...), o).For("pk", "dev1", ext)
		var v Verdict
		switch f[0] {
		case "pub":
			v = c.MayPublish([]byte(f[1]))
		case "sub":
			v = c.MaySubscribe([]byte(f[1]))
		default:
			t.Fatal(f)
		}
		if v.Allowed != (f[2] == "+") || v.Reason.String() != f[3] {
			t.Errorf("%s %s (ext %v): %v %s, want %s %s", f[0], f[1], ext, v.Allowed, v.Reason, f[2], f[3])
		}
		decided++
	}
	if decided < 100 {
		t.Errorf("only %d decisions", decided)
	}
}

// The SDK subscribes these 16 on every connect, some of which it never uses, and treats a refusal as an error.
func TestNodeSDKSubscribesItsTopics(t *testing.T) {
	list := lines(t, "node-sdk-1.2.8.txt")
	if len(list) != 16 {
		t.Fatalf("%d topics", len(list))
	}
	c := NewTable(product(t), Options{}).For("pk", "dev1", false)
	for _, f := range list {
		if v := c.MaySubscribe([]byte(f[0])); !v.Allowed {
			t.Errorf("%s: %s", f[0], v.Reason)
		}
	}
}

// A table that is replaced decides anew for devices that are connected, from one moment to the next.
func TestReplace(t *testing.T) {
	table := NewTable(product(t), Options{})
	c := table.For("pk", "dev1", false)
	extra := device.Category{Suffix: "user/extra", Operation: device.PublishAndSubscribe}
	topic := []byte("/pk/dev1/user/extra")
	if c.MayPublish(topic).Allowed || c.MaySubscribe(topic).Allowed || c.Generation() != 1 {
		t.Errorf("before, generation %d", c.Generation())
	}
	table.Replace(product(t, extra), Options{})
	if !c.MayPublish(topic).Allowed || !c.MaySubscribe(topic).Allowed || c.Generation() != 2 {
		t.Errorf("with the category, generation %d", c.Generation())
	}
	table.Replace(product(t), Options{BroadcastsReceivedOnly: true})
	if c.MayPublish(topic).Allowed || c.MaySubscribe(topic).Allowed || c.MayPublish([]byte("/broadcast/pk/x")).Allowed || table.Generation() != 3 {
		t.Errorf("after, generation %d", c.Generation())
	}
}

func TestReplaceBesideDecisions(t *testing.T) {
	with := product(t, device.Category{Suffix: "a", Operation: device.Publish}, device.Category{Suffix: "b", Operation: device.Publish})
	without := product(t)
	table := NewTable(with, Options{})
	c := table.For("pk", "dev1", false)
	var stop atomic.Bool
	var readers, writers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for !stop.Load() {
				before := c.Generation()
				a, b := c.MayPublish([]byte("/pk/dev1/a")), c.MayPublish([]byte("/pk/dev1/b"))
				if c.Generation() == before && a != b {
					t.Errorf("%v and %v in generation %d", a, b, before)
				}
				if !c.MaySubscribe([]byte("/pk/dev1/get")).Allowed {
					t.Error("refused while the table is replaced")
				}
			}
		})
	}
	for range 2 {
		writers.Go(func() {
			for range 500 {
				table.Replace(without, Options{})
				table.Replace(with, Options{})
			}
		})
	}
	writers.Wait()
	stop.Store(true)
	readers.Wait()
	if g := table.Generation(); g != 2001 {
		t.Errorf("generation %d", g)
	}
}

func TestDecisionsAllocateNothing(t *testing.T) {
	more := []device.Category{{Suffix: "+/+/+/+/+", Operation: device.Subscribe}, {Suffix: "a/a/a/a/a", Operation: device.Subscribe},
		{Suffix: "a/+/a/+/#", Operation: device.Subscribe}}
	c := NewTable(product(t, more...), Options{}).For("pk", "dev1", true)
	var topics [][]byte
	for _, f := range lines(t, "decisions.txt") {
		topics = append(topics, []byte(f[1]))
	}
	topics = append(topics, []byte("/pk/dev1/a/a/a/a/a"), []byte("/pk/dev1/+/+/+/+/+"))
	if n := testing.AllocsPerRun(10, func() {
		for _, topic := range topics {
			c.MayPublish(topic)
			c.MaySubscribe(topic)
			c.MayReceive(topic)
			c.AutoReceives(topic)
			Classify(topic)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestReasonsHaveWords(t *testing.T) {
	seen := map[string]bool{}
	for r := ByCategory; r <= UnknownTopic; r++ {
		if s := r.String(); s == "" || s == "unknown" || seen[s] {
			t.Errorf("reason %d: %q", r, s)
		} else {
			seen[s] = true
		}
	}
	if Reason(0).String() != "unknown" || Reason(99).String() != "unknown" {
		t.Error("a reason that does not exist has a word")
	}
}
