package gateway_test

import (
	"strings"
	"testing"
)

// A request about sub-devices that have no names is refused, and not answered with many times its size.
func TestNamesAreNamed(t *testing.T) {
	s := start(t)
	many := "[" + strings.Repeat("{},", 80_000) + "{}]"
	for _, what := range []string{"topo/delete", "sub/unregister", "list/found"} {
		lines := s.carryOut(t, "> /sys/gateway/gw-1/thing/"+what+` {"id":"1","params":`+many+`}`)
		if all := strings.Join(lines, "\n"); len(all) > len(many) || !strings.Contains(all, `"code":460`) {
			t.Errorf("%s: %d bytes are answered with %d: %.200s", what, len(many), len(all), all)
		}
	}
}
