//go:build !race

package credential

import "testing"

// Under the race detector a sync.Pool drops what it is given at random, so this holds only without it.
func TestVerifyAllocatesNothing(t *testing.T) {
	for _, v := range vectors[loginVector](t, "logins.json") {
		if v.Refused != "" {
			continue
		}
		verifier, connect := v.verifier(t), v.connect()
		var l Login
		if n := testing.AllocsPerRun(100, func() {
			if err := verifier.Verify(connect, &l); err != nil {
				t.Fatal(err)
			}
		}); n != 0 && v.Ticket == "" { // the test's own ticket directory allocates
			t.Errorf("%s: %v allocations", v.Name, n)
		}
	}
}
