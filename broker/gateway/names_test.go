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

// Requests that are refused are told sparsely: a gateway does not write the log as fast as it can ask.
func TestRefusedRequestsAreToldSparsely(t *testing.T) {
	s := start(t)
	for range 1000 {
		s.carryOut(t, `> /ext/session/gateway/gw-1/combine/login {"id":"1","params":{"productKey":"none","deviceName":"`+strings.Repeat("n", 1000)+`","clientId":"c","sign":"00"}}`)
		s.carryOut(t, `> /sys/gateway/gw-1/thing/list/found {"id":"2","params":[{"productKey":"none","deviceName":"n"}]}`)
	}
	if lines := strings.Count(s.log.String(), "\n"); lines < 1 || lines > 12 {
		t.Errorf("%d lines, %d bytes", lines, s.log.Len())
	}
}
