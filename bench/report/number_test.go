package report

import "testing"

func TestValue(t *testing.T) {
	for _, c := range []struct {
		v    float64
		unit string
		want string
	}{
		{1234, "/s", "1.23 k/s"}, {12, "CPUs", "12 CPUs"}, {999.4, "µs", "999 µs"}, {1500, "µs", "1.50 ms"}, {2.5e6, "µs", "2.50 s"},
		{3.41, "KB", "3.41 KB"}, {3492, "KB", "3.41 MB"}, {3 << 20, "KB", "3 GB"},
	} {
		if got := value(c.v, c.unit); got != c.want {
			t.Errorf("%v %s: %s, want %s", c.v, c.unit, got, c.want)
		}
	}
}
