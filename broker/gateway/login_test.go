package gateway_test

import (
	"strings"
	"testing"

	"sampan/broker/gateway"
)

// A sub-device whose session ends while the rest of its login is done is not online afterwards: its gateway is
// subscribed to nothing of it, and servers were not told last that it is there.
func TestWhoGoesWhileItLogsIn(t *testing.T) {
	for _, happens := range []string{"disabled sub/dev2", "deleted sub/dev2", "connected sub/dev2"} {
		t.Run(happens, func(t *testing.T) {
			s := start(t)
			s.carryOut(t, `> /sys/gateway/gw-2/thing/topo/add {"id":"1","params":[$(dev2)]}`)
			s.after = func() { s.after = nil; s.happens(t, strings.Fields(happens)) }
			lines := s.carryOut(t, `> /ext/session/gateway/gw-2/combine/login {"id":"2","params":$(dev2)}`)
			if through, online := s.Through("sub", "dev2"); online {
				t.Errorf("it is logged in through %s", through)
			}
			const filter = "/sys/sub/dev2/thing/#"
			if last(lines, "! gateway/gw-2: + "+filter) > last(lines, "! gateway/gw-2: - "+filter) {
				t.Errorf("its gateway is subscribed for it:\n%s", strings.Join(lines, "\n"))
			}
			if last(lines, "! sub/dev2 through gateway/gw-2: online true") > last(lines, "! sub/dev2 through gateway/gw-2: online false") {
				t.Errorf("the last that is told of it is that it is online:\n%s", strings.Join(lines, "\n"))
			}
		})
	}
}

// A gateway may have tens of thousands of subscriptions. However many sub-devices a request is about, they are gone over
// once or twice.
func TestAGatewaysSubscriptionsAreGoneOverOnce(t *testing.T) {
	const names = `{"productKey":"sub","deviceName":"dev1"},{"productKey":"sub","deviceName":"dev2"},{"productKey":"sub","deviceName":"dev3"},{"productKey":"sub","deviceName":"dev1"}`
	for what, request := range map[string]string{
		"logout":     `> /ext/session/gateway/gw-1/combine/batch_logout {"id":"3","params":[` + names + `]}`,
		"delete":     `> /sys/gateway/gw-1/thing/topo/delete {"id":"3","params":[` + names + `]}`,
		"taken over": `> /ext/session/gateway/gw-2/combine/batch_login {"id":"3","params":{"deviceList":[$(dev1),$(dev2),$(dev3)]}}`,
	} {
		s := start(t)
		s.carryOut(t, `> /sys/gateway/gw-1/thing/topo/add {"id":"1","params":[$(dev1),$(dev2),$(dev3)]}`)
		s.carryOut(t, `> /ext/session/gateway/gw-1/combine/batch_login {"id":"2","params":{"deviceList":[$(dev1),$(dev2),$(dev3)]}}`)
		if what == "taken over" {
			s.carryOut(t, `> /sys/gateway/gw-2/thing/topo/add {"id":"1","params":[$(dev1),$(dev2),$(dev3)]}`)
		}
		s.passes = 0
		lines := s.carryOut(t, request)
		if s.passes < 1 || s.passes > 2 {
			t.Errorf("%s: %d times:\n%s", what, s.passes, strings.Join(lines, "\n"))
		}
		if n := strings.Count(strings.Join(lines, "\n"), "through gateway/gw-1: online false"); n != 3 && what != "taken over" {
			t.Errorf("%s: %d are offline", what, n)
		}
	}
}

// last is where a line stands last, or -1.
func last(lines []string, line string) int {
	for i := len(lines) - 1; i >= 0; i-- {
		if lines[i] == line {
			return i
		}
	}
	return -1
}

// A sub-device that is taken out of the topology of the gateway that has added it last is nobody's, and logged in through
// nobody: not through the gateway that had it before either.
func TestWhoIsNobodysIsNotLoggedIn(t *testing.T) {
	g1, g2 := gateway.Name{ProductKey: "gateway", DeviceName: "gw-1"}, gateway.Name{ProductKey: "gateway", DeviceName: "gw-2"}
	n := gateway.Name{ProductKey: "sub", DeviceName: "dev1"}
	for name, remove := range map[string]func(s *site){
		"a server": func(s *site) {
			if err := s.RemoveTopology(g2, n); err != nil {
				t.Fatal(err)
			}
		},
		"its gateway": func(s *site) {
			s.carryOut(t, `> /sys/gateway/gw-2/thing/topo/delete {"id":"4","params":[{"productKey":"sub","deviceName":"dev1"}]}`)
		},
		"the end of its gateway": func(s *site) { s.happens(t, []string{"deleted", "gateway/gw-2"}) },
	} {
		s := start(t)
		s.carryOut(t, `> /sys/gateway/gw-1/thing/topo/add {"id":"1","params":[$(dev1)]}`)
		s.carryOut(t, `> /ext/session/gateway/gw-1/combine/login {"id":"2","params":$(dev1)}`)
		s.carryOut(t, `> /sys/gateway/gw-2/thing/topo/add {"id":"3","params":[$(dev1)]}`)
		if through, _ := s.Through("sub", "dev1"); through != g1 {
			t.Fatalf("logged in through %s", through)
		}
		remove(s)
		if through, online := s.Through("sub", "dev1"); online {
			t.Errorf("%s: it is logged in through %s", name, through)
		}
	}
}
