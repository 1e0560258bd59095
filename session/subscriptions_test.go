package session

import (
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"
)

// The list with its map is a map.
func TestSubscriptionsAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s subscriptions
		model := map[string]byte{}
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			filter := fmt.Sprint(rapid.IntRange(0, 20).Draw(t, "filter"))
			if rapid.Bool().Draw(t, "add") {
				qos := byte(rapid.IntRange(0, 1).Draw(t, "qos"))
				s.set(filter, qos)
				model[filter] = qos
			} else {
				_, had := model[filter]
				if s.remove(filter) != had {
					t.Fatalf("removing %s reported %v", filter, !had)
				}
				delete(model, filter)
			}
			if got := maps.Collect(s.all()); !maps.Equal(got, model) || len(s.list) != len(model) {
				t.Fatalf("%v, want %v", got, model)
			}
			for filter := range s.filters() {
				if s.find(filter) < 0 {
					t.Fatalf("%s is not found", filter)
				}
			}
			if s.find("nobody") >= 0 {
				t.Fatal("a filter is found that was never there")
			}
		}
	})
}
