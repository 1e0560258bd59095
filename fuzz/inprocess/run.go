package inprocess

import (
	"testing"
	"testing/synctest"

	"sampan/fuzz/script"
)

// Run carries out a script on a broker of its own and compares it with the model. A goroutine that outlives
// the broker fails the test.
func Run(t *testing.T, s *script.Script) (res script.Result) {
	synctest.Test(t, func(*testing.T) {
		res = Bare(s)
	})
	return res
}

// Bare is Run inside a bubble of testing/synctest that the caller has made, for those who carry out many.
func Bare(s *script.Script) script.Result {
	rules := s.Rules()
	t, err := New(s, &rules)
	if err != nil {
		return script.Result{Err: err}
	}
	res := script.Run(s, rules, t)
	if err := t.Close(); err != nil && res.Err == nil && res.Deviation == nil {
		res.Err = err
	}
	return res
}
