package topictree

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"weak"
)

// TestMatchAllocatesNothing holds a match in the steady state to no allocation
// at all, whatever it finds, and a look whether it is current too.
func TestMatchAllocatesNothing(t *testing.T) {
	tree := New[*device](Options{})
	for i, d := range crowd(1_000) {
		tree.Subscribe("one/list/of/many", d, 1)
		tree.Subscribe(fmt.Sprintf("one/%d/of/one/that/is/longer/than/thirty-two/bytes", i), d, 1)
		tree.Subscribe([]string{"over/+/lap", "over/#", "over/a/+"}[i%3], d, 1)
		if i%2 == 0 {
			tree.Subscribe("over/a/lap", d, byte(i%3))
		}
	}
	for topic, want := range map[string]int{
		"one/list/of/many": 1000,
		"one/7/of/one/that/is/longer/than/thirty-two/bytes": 1,
		"over/a/lap":      1000,
		"none/of/all":     0,
		"a/b/c/d/e/f/g/h": 0,
	} {
		name := []byte(topic)
		var m Matches[*device]
		tree.Match(name, &m)
		if m.Len() != want {
			t.Errorf("%s reaches %d subscribers, want %d", topic, m.Len(), want)
		}
		if got := testing.AllocsPerRun(100, func() { tree.Match(name, &m) }); got != 0 {
			t.Errorf("a match of %s allocates %v times", topic, got)
		}
		if got := testing.AllocsPerRun(100, func() { tree.Current(&m, name) }); got != 0 {
			t.Errorf("Current of %s allocates %v times", topic, got)
		}
	}
}

// TestSwitchingTopicsAllocatesNothing uses one Matches for results of all
// sizes in turn.
func TestSwitchingTopicsAllocatesNothing(t *testing.T) {
	tree := New[*device](Options{})
	for i, d := range crowd(500) {
		tree.Subscribe("a/many", d, 0)
		tree.Subscribe("a/+", d, byte(i%2))
		tree.Subscribe("+/few", d, 0)
	}
	tree.Subscribe("c/one", new(device), 0)
	topics := [][]byte{[]byte("a/many"), []byte("c/one"), []byte("a/few"), []byte("d/none")}
	var m Matches[*device]
	all := func() {
		for _, topic := range topics {
			tree.Match(topic, &m)
		}
	}
	all()
	if got := testing.AllocsPerRun(100, all); got != 0 {
		t.Errorf("matching four topics in turn allocates %v times", got)
	}
}

// TestMemoryReturns: when everybody has left, the tree is as small as a new
// one.
func TestMemoryReturns(t *testing.T) {
	tree := New[*device](Options{})
	empty := tree.Stats()
	before := heap()
	type subscription struct {
		filter string
		d      *device
	}
	var all []subscription
	fleet(func(filter string, d *device) {
		tree.Subscribe(filter, d, 1)
		all = append(all, subscription{filter, d})
	})
	full := heap() - before
	for _, s := range all {
		if !tree.Unsubscribe(s.filter, s.d) {
			t.Fatalf("%s: the subscriber is not there", s.filter)
		}
	}
	all = nil
	left := heap() - before
	t.Logf("100,000 subscriptions with their subscribers: %d bytes, %d are left after all", full, left)
	if st := tree.Stats(); st != empty {
		t.Errorf("Stats are %+v, were %+v when it was new", st, empty)
	}
	if left > 64<<10 {
		t.Errorf("%d bytes are left of %d", left, full)
	}
	runtime.KeepAlive(tree)
}

// TestNobodyIsRetained removes one subscriber of a list of any size and expects
// it to be collected while the others stay, even by a Matches that has been
// used for it and then for something else.
func TestNobodyIsRetained(t *testing.T) {
	type session struct{ inbox []byte } // too large to share its memory with another
	for _, n := range []int{1, 2, 3, maxChunk, maxChunk + 1, 1_000} {
		tree := New[*session](Options{})
		var m Matches[*session]
		all := make([]*session, n)
		filters := []string{"a/b/c", "a/+/c", "#"}
		for i := range all {
			all[i] = &session{make([]byte, 100)}
			for _, filter := range filters {
				tree.Subscribe(filter, all[i], byte(i%2))
			}
		}
		tree.Match([]byte("a/b/c"), &m)
		gone := n / 2
		was := weak.Make(all[gone])
		tree.RemoveAll(all[gone], slices.Values(filters))
		all[gone] = nil
		tree.Match([]byte("$other"), &m)
		runtime.GC()
		if was.Value() != nil {
			t.Errorf("one of %d subscribers is still in memory after it was removed", n)
		}
		if st := tree.Stats(); st.Subscriptions != (n-1)*len(filters) {
			t.Errorf("%d subscriptions are left, want %d", st.Subscriptions, (n-1)*len(filters))
		}
		runtime.KeepAlive(all)
		runtime.KeepAlive(&m)
	}
}

// TestFiltersComeAndGo passes many more filters through the tree than it ever
// holds: the table must be swept, not grow.
func TestFiltersComeAndGo(t *testing.T) {
	tree := New[int](Options{Shards: 1})
	const atATime = 20
	filter := func(i int) string { return fmt.Sprintf("a/%d/c/%d/+/%d", i, i, i) }
	for i := range 20_000 {
		tree.Subscribe(filter(i), 1, 1)
		if i >= atATime && !tree.Unsubscribe(filter(i-atATime), 1) {
			t.Fatalf("filter %d is lost", i-atATime)
		}
	}
	// Each filter has two nodes in the table: its prefix, and what follows +.
	if st := tree.Stats(); st.Nodes != 2*atATime || st.Slots > 16*atATime {
		t.Errorf("Stats are %+v, want %d nodes and few slots", st, 2*atATime)
	}
}

// TestReconnectKeepsTable lets devices come back with the same filters: their
// slots are used again, and the table stays as it is.
func TestReconnectKeepsTable(t *testing.T) {
	tree := New[int](Options{Shards: 1})
	for i := range 100 {
		tree.Subscribe(fmt.Sprintf("a/b/%d/d", i), 1, 1)
	}
	table := tree.shards[0].prefixes[4].table.Load()
	for i := range 1_000 {
		filter := fmt.Sprintf("a/b/%d/d", i%100)
		if !tree.Unsubscribe(filter, 1) || tree.Subscribe(filter, 2, 1) {
			t.Fatalf("%s does not go from one subscriber to the other", filter)
		}
		tree.Unsubscribe(filter, 2)
		tree.Subscribe(filter, 1, 1)
	}
	if tree.shards[0].prefixes[4].table.Load() != table {
		t.Error("the table was rebuilt")
	}
}

// TestLongFiltersAreLetGo: what is left of a node that a long filter has made
// does not keep the filter in memory.
func TestLongFiltersAreLetGo(t *testing.T) {
	const n, long = 200, 60_000
	for _, form := range []string{"product/%d/+", "+/%d/+", "+/+/%d"} {
		tree := New[*device](Options{})
		d := new(device)
		before := heap()
		for i := range n {
			prefix := fmt.Sprintf(form, i)
			filter := prefix + "/" + strings.Repeat("x", long)
			tree.Subscribe(filter, d, 0)
			tree.Subscribe(prefix+"/#", d, 0)
			tree.Unsubscribe(filter, d)
		}
		if grown := heap() - before; grown > n*long/10 {
			t.Errorf("%s: %d bytes are held for %d short filters", form, grown, n)
		}
		runtime.KeepAlive(tree)
	}
}
