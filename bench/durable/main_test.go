package main

import "testing"

func TestMedian(t *testing.T) {
	rate := func(t turn) float64 { return t.rate }
	for _, c := range []struct {
		turns []turn
		want  float64
	}{
		{nil, 0},
		{[]turn{{rate: 3}, {rate: 1}, {rate: 2}}, 2},
		{[]turn{{rate: 3}, {rate: 1}}, 2},
	} {
		if m := median(c.turns, rate); m != c.want {
			t.Errorf("%v: median %v, want %v", c.turns, m, c.want)
		}
	}
}

func TestWhatIsNotKnownIsNoFigure(t *testing.T) {
	for want, r := range map[string]Result{
		"| 8 | a | 50 | 0.50 | 1.25 | 3.00 |": {Broker: "a", Publishers: 8, Rate: 50, Ratio: 0.5, P50: 1.25, P99: 3},
		"| 8 | a | 50 | – | 1.25 | 3.00 |":    {Broker: "a", Publishers: 8, Rate: 50, P50: 1.25, P99: 3},
		"| 8 | a | 0 | – | – | – |":           {Broker: "a", Publishers: 8},
	} {
		if got := r.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestOnlyNamesBrokers(t *testing.T) {
	all := []contender{{name: "a"}, {name: "b c"}, {name: "d"}}
	for names, want := range map[string]int{"": 3, "d,b c": 2} {
		if chosen, err := choose(all, names); err != nil || len(chosen) != want {
			t.Errorf("%q: %v, %v", names, chosen, err)
		}
	}
	if chosen, err := choose(all, "a,bc"); err == nil {
		t.Errorf("got %v without an error", chosen)
	}
}
