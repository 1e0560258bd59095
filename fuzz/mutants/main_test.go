package main

import "testing"

// A run that no script is to be blamed for says which test was under way, and how it ended.
func TestHowARunEnded(t *testing.T) {
	for out, want := range map[string]string{
		"=== RUN   TestSessionLong\n=== RUN   TestSessionLong/filters\npanic: runtime error: index out of range [31] with length 29\n\ngoroutine 7\n": "TestSessionLong/filters, panic: runtime error: index out of range [31] with length 29",
		"=== RUN   TestSessionFixed\npanic: test timed out after 3m0s\nrunning tests:\n":                                                              "TestSessionFixed, panic: test timed out after 3m0s",
		"=== RUN   TestSessionFixed\n==================\nWARNING: DATA RACE\nRead at\n":                                                               "TestSessionFixed, WARNING: DATA RACE",
		"=== RUN   TestSessionFixed\n    session_test.go:1: no\n--- FAIL: TestSessionFixed\n":                                                         "TestSessionFixed, which fails",
		"=== RUN   TestSessionFixed\nfatal error: all | asleep\n":                                                                                     "TestSessionFixed, fatal error: all / asleep",
	} {
		if got := ended([]byte(out)); got != want {
			t.Errorf("%q:\ngot  %s\nwant %s", out, got, want)
		}
	}
}
