package topictree

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

func TestSubscribeAgainReplaces(t *testing.T) {
	tree := New[string](Options{})
	var m Matches[string]
	for i, want := range []struct {
		qos      byte
		replaced bool
	}{{0, false}, {0, true}, {1, true}, {0, true}} {
		if got := tree.Subscribe("a/+", "s", want.qos); got != want.replaced {
			t.Errorf("%d: Subscribe = %v, want %v", i, got, want.replaced)
		}
		tree.Match([]byte("a/b"), &m)
		if got := result(t, &m); !maps.Equal(got, map[string]byte{"s": want.qos}) {
			t.Errorf("%d: found %v, want QoS %d", i, got, want.qos)
		}
	}
	if st := tree.Stats(); st.Subscriptions != 1 || st.Filters != 1 || st.WildFilters != 1 {
		t.Errorf("Stats are %+v, want one of each", st)
	}
}

func TestUnsubscribeFindsTheVeryFilter(t *testing.T) {
	filters := []string{"a/b/c/d", "a/b/c/#", "a/b/c/+", "a/b/c", "a/+/c", "+/b/c", "#", "+", "a", "a/", "/a", "a/+/c/d", "a/+/#"}
	for _, gone := range filters {
		tree := New[int](Options{})
		if tree.Unsubscribe(gone, 1) {
			t.Errorf("Unsubscribe(%q) from an empty tree says it was there", gone)
		}
		for _, f := range filters {
			tree.Subscribe(f, 1, 1)
		}
		if tree.Unsubscribe(gone, 2) {
			t.Errorf("Unsubscribe(%q) of a stranger says it was there", gone)
		}
		if !tree.Unsubscribe(gone, 1) || tree.Unsubscribe(gone, 1) {
			t.Errorf("Unsubscribe(%q) twice does not say true and then false", gone)
		}
		var left []string
		for _, f := range filters {
			if tree.Unsubscribe(f, 1) {
				left = append(left, f)
			}
		}
		if len(left) != len(filters)-1 || slices.Contains(left, gone) {
			t.Errorf("after Unsubscribe(%q) there was %q", gone, left)
		}
		if st := tree.Stats(); st.Subscriptions != 0 || st.Nodes != 0 {
			t.Errorf("%+v is left", st)
		}
	}
}

func TestRemoveAll(t *testing.T) {
	tree := New[int](Options{})
	filters := []string{"a/b/c/d", "a/#", "+/b", "a/b/c/d"}
	for _, f := range filters {
		tree.Subscribe(f, 1, 1)
		tree.Subscribe(f, 2, 1)
	}
	if got := tree.RemoveAll(1, slices.Values(append(filters, "never/subscribed"))); got != 3 {
		t.Errorf("RemoveAll removed %d, want 3", got)
	}
	var m Matches[int]
	tree.Match([]byte("a/b/c/d"), &m)
	if got := result(t, &m); !maps.Equal(got, map[int]byte{2: 1}) {
		t.Errorf("left is %v, want subscriber 2", got)
	}
}

// TestCurrentIsPrecise counts on what the documentation promises: a change in
// another shard, or one that changes nothing, leaves results current.
func TestCurrentIsPrecise(t *testing.T) {
	tree := New[int](Options{})
	topic := []byte("/product/device/get")
	tree.Subscribe(string(topic), 1, 1)
	tree.Subscribe("/product/+/get", 1, 1)
	var m Matches[int]
	fresh := func() {
		t.Helper()
		tree.Match(topic, &m)
		if !tree.Current(&m, topic) {
			t.Fatal("a fresh match is not current")
		}
	}
	fresh()

	own, _ := tree.place(string(topic))
	n := 0
	for i := range 1000 {
		filter := fmt.Sprintf("/product/other-%d/get", i)
		if sh, _ := tree.place(filter); sh != own {
			tree.Subscribe(filter, 1, 1)
			n++
		}
	}
	if !tree.Current(&m, topic) {
		t.Errorf("%d subscriptions in other shards have outdated the match", n)
	}
	tree.Subscribe(string(topic), 1, 1)
	tree.Unsubscribe(string(topic), 2)
	tree.Unsubscribe("/product/+/set", 1)
	if !tree.Current(&m, topic) {
		t.Error("calls that change nothing have outdated the match")
	}

	for _, change := range []struct {
		name string
		make func()
	}{
		{"another QoS", func() { tree.Subscribe(string(topic), 1, 0) }},
		{"a subscriber more", func() { tree.Subscribe(string(topic), 2, 0) }},
		{"a subscriber less", func() { tree.Unsubscribe(string(topic), 2) }},
		{"a filter more", func() { tree.Subscribe("/product/device/#", 3, 0) }},
		{"an early wildcard more", func() { tree.Subscribe("#", 3, 0) }},
		{"an early wildcard less", func() { tree.Unsubscribe("/product/+/get", 1) }},
	} {
		fresh()
		change.make()
		if tree.Current(&m, topic) {
			t.Errorf("%s: the match counts as current", change.name)
		}
	}

	fresh()
	if tree.Current(&m, []byte("/product/device/set")) {
		t.Error("a match is current for another topic")
	}
	if New[int](Options{}).Current(&m, topic) {
		t.Error("a match is current in another tree")
	}
	m.Reset()
	if tree.Current(&m, topic) || tree.Current(&m, nil) || m.Len() != 0 || len(m.Chunks()) != 0 {
		t.Error("after Reset the match is current, or holds something")
	}
}

// TestPrefixLevelsBeyondMaxDepth: more levels than the table looks up are cut
// to what it does.
func TestPrefixLevelsBeyondMaxDepth(t *testing.T) {
	tree, m := New[int](Options{Shards: 3, PrefixLevels: 100}), model{}
	if got := len(tree.shards); got != 4 {
		t.Errorf("3 shards are %d, want 4", got)
	}
	deep := "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18"
	for i, f := range []string{deep, deep + "/#", "1/#", "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/+/18", "+/2/#"} {
		tree.Subscribe(f, i, 1)
		m.subscribe(f, i, 1)
	}
	var found Matches[int]
	for _, topic := range []string{deep, deep + "/19", deep[:len(deep)-3], "1"} {
		check(t, tree, m, topic, &found)
	}
}
