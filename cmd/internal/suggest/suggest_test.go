package suggest

import "testing"

func TestClosest(t *testing.T) {
	candidates := []string{"serve", "check", "device", "listen", "client-ca", "data", "pub"}
	cases := []struct{ word, want string }{
		{"serv", "serve"},
		{"sevre", "serve"},
		{"chekc", "check"},
		{"lisen", "listen"},
		{"client_ca", "client-ca"},
		{"dat", "data"},
		{"bup", ""},
		{"pbu", "pub"},
		{"x", ""},
		{"", ""},
		{"devices", "device"},
		{"completely-different", ""},
	}
	for _, c := range cases {
		if got := Closest(c.word, candidates); got != c.want {
			t.Errorf("Closest(%q) = %q, want %q", c.word, got, c.want)
		}
	}
}

func TestEdits(t *testing.T) {
	cases := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1},
		{"abc", "abd", 1}, {"abc", "xabc", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3},
	}
	for _, c := range cases {
		if got := edits(c.a, c.b); got != c.want {
			t.Errorf("edits(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := edits(c.b, c.a); got != c.want {
			t.Errorf("edits(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}
