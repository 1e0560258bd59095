package address

import (
	"slices"
	"strings"
	"testing"
)

func TestNetworks(t *testing.T) {
	var n Networks
	for _, text := range []string{"10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1", "::ffff:192.0.2.8"} {
		if err := n.Set(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	want := []string{"10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32", "::1/128", "192.0.2.8/32"}
	if got := n.GetSlice(); !slices.Equal(got, want) || n.String() != "["+strings.Join(want, " ")+"]" {
		t.Errorf("%v", got)
	}
	var again Networks
	if err := again.Replace(want); err != nil || !slices.Equal(again, n) || again.Append("10.1.1.1") != nil || len(again) != 6 {
		t.Errorf("read again: %v, %v", again, err)
	}
	for text, explains := range map[string]string{
		"10.0.0.1/8": "the network is 10.0.0.0/8", "example.org": "is no network", "10.0.0.0/33": "is no network",
		"fe80::1%eth0": "is no network", "::ffff:10.0.0.0/104": "write an IPv4 network as one", "": "is no network",
	} {
		if err := n.Set(text); err == nil || !strings.Contains(err.Error(), explains) {
			t.Errorf("%q: %v, want an error that says %q", text, err, explains)
		}
	}
}
