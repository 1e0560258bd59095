package filters

import (
	"testing"

	"pgregory.net/rapid"
)

// The sum of many sets is what counting them anew gives, whatever is done to them.
func TestSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sum Sum
		sets := make([]Set, 3)
		filter := rapid.StringMatching(`[ab/+#]{0,3}`)
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			s := &sets[rapid.IntRange(0, len(sets)-1).Draw(t, "set")]
			switch rapid.SampledFrom([]string{"put", "remove", "drop"}).Draw(t, "step") {
			case "put":
				f, qos := filter.Draw(t, "filter"), rapid.ByteRange(0, 1).Draw(t, "qos")
				s.Put(f, qos, &sum)
				if got, ok := (*s)[f]; !ok || got != qos {
					t.Fatalf("%q has QoS %d, %v; want %d", f, got, ok, qos)
				}
			case "remove":
				f := filter.Draw(t, "filter")
				s.Remove(f, &sum)
				if _, found := (*s)[f]; found {
					t.Fatalf("%q is still there", f)
				}
			case "drop":
				s.Drop(&sum)
				*s = nil
			}
			var want Sum
			for _, s := range sets {
				want.Filters += len(s)
				for f := range s {
					want.Bytes += len(f)
				}
			}
			if sum != want {
				t.Fatalf("the sum is %+v, want %+v", sum, want)
			}
		}
	})
}
