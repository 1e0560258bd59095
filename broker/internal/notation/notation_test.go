package notation_test

import (
	"testing"
	"time"

	"sampan/broker/internal/notation"
)

func TestTimes(t *testing.T) {
	at := time.Date(2018, 6, 1, 20, 0, 0, 5e6, time.UTC)
	for _, test := range []struct{ got, want string }{
		{notation.Local(at), "2018-06-02 04:00:00"},
		{notation.LocalMillis(at), "2018-06-02 04:00:00.005"},
		{notation.UTC(at), "2018-06-01T20:00:00.005Z"},
		{notation.UTC(at.In(time.FixedZone("", 3600))), "2018-06-01T20:00:00.005Z"},
		{notation.Local(time.Time{}), ""},
		{notation.UTC(time.Time{}), ""},
	} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
}

func TestHost(t *testing.T) {
	for addr, want := range map[string]string{"10.0.0.1:1883": "10.0.0.1", "[::1]:1": "::1", "pipe": "pipe", "": ""} {
		if got := notation.Host(addr); got != want {
			t.Errorf("%q: %q, want %q", addr, got, want)
		}
	}
}
