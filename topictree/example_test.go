package topictree_test

import (
	"fmt"
	"slices"

	"sampan/topictree"
)

type client struct{ name string }

// A publisher keeps a Matches for its topic and matches again only when
// something has changed.
func Example() {
	tree := topictree.New[*client](topictree.Options{})
	lamp, panel := &client{"lamp"}, &client{"panel"}
	tree.Subscribe("/home/lamp/set", lamp, 1)
	tree.Subscribe("/home/+/set", panel, 0)
	tree.Subscribe("/home/#", panel, 1)

	topic := []byte("/home/lamp/set")
	var m topictree.Matches[*client]
	publish := func() {
		if !tree.Current(&m, topic) {
			tree.Match(topic, &m)
		}
		for _, chunk := range m.Chunks() {
			for _, e := range chunk {
				fmt.Printf("to %s with QoS %d\n", e.Subscriber.name, e.QoS)
			}
		}
	}
	publish()
	tree.RemoveAll(panel, slices.Values([]string{"/home/+/set", "/home/#"}))
	fmt.Println("without the panel:")
	publish()
	// Unordered output:
	// to lamp with QoS 1
	// to panel with QoS 1
	// without the panel:
	// to lamp with QoS 1
}

func ExampleTree_Match() {
	tree := topictree.New[string](topictree.Options{})
	tree.Subscribe("+/#", "backup", 1)
	tree.Subscribe("$SYS/#", "monitor", 0)

	var m topictree.Matches[string]
	for _, topic := range []string{"a", "a/b", "$SYS/uptime"} {
		tree.Match([]byte(topic), &m)
		fmt.Println(topic, m.Chunks())
	}
	// Output:
	// a [[{backup 1}]]
	// a/b [[{backup 1}]]
	// $SYS/uptime [[{monitor 0}]]
}
