package network

import (
	"testing"
	"time"

	"sampan/fuzz/model"
)

// The canaries of two campaigns on one broker neither take each other over nor hear each other.
func TestCanariesOfTwoCampaigns(t *testing.T) {
	b := &modelBroker{rules: model.Standard()}
	dial := b.start(t)
	one, two := newCanaries(dial, 5*time.Second, "", ""), newCanaries(dial, 5*time.Second, "", "")
	defer one.close()
	defer two.close()
	for range 2 {
		for _, cs := range []*canaries{one, two} {
			if h := cs.sing(t.Context()); h != nil {
				t.Fatal(h)
			}
		}
	}
}
