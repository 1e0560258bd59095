package address

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sampan/internal/ceiling"
)

func TestListenerAddresses(t *testing.T) {
	cases := []struct {
		text, written string
		want          URL
	}{
		{"mqtt://127.0.0.1:1883", "mqtt://127.0.0.1:1883", URL{Scheme: MQTT, Host: "127.0.0.1", Port: 1883}},
		{"mqtt://", "mqtt://:1883", URL{Scheme: MQTT, Port: 1883}},
		{"mqtt://:0", "mqtt://:0", URL{Scheme: MQTT}},
		{"MQTTS://broker.example", "mqtts://broker.example:8883", URL{Scheme: MQTTS, Host: "broker.example", Port: 8883}},
		{"mqtt://[::1]:1", "mqtt://[::1]:1", URL{Scheme: MQTT, Host: "::1", Port: 1}},
		{"mqtt://[::1]", "mqtt://[::1]:1883", URL{Scheme: MQTT, Host: "::1", Port: 1883}},
		{"mqtt://::1", "mqtt://[::1]:1883", URL{Scheme: MQTT, Host: "::1", Port: 1883}},
		{"mqtt://127.0.0.1/", "mqtt://127.0.0.1:1883", URL{Scheme: MQTT, Host: "127.0.0.1", Port: 1883}},
		{"ws://:8080", "ws://:8080", URL{Scheme: WS, Port: 8080, Path: "/"}},
		{"wss://:8443/mqtt", "wss://:8443/mqtt", URL{Scheme: WSS, Port: 8443, Path: "/mqtt"}},
		{"psk://0.0.0.0", "psk://0.0.0.0:1883", URL{Scheme: PSK, Host: "0.0.0.0", Port: 1883}},
		{"unix:///run/sampan.sock", "unix:///run/sampan.sock", URL{Scheme: Unix, Path: "/run/sampan.sock"}},
		{"unix://sampan.sock", "unix://sampan.sock", URL{Scheme: Unix, Path: "sampan.sock"}},
		{"auto://:1883", "auto://:1883", URL{Scheme: Auto, Port: 1883}},
		{"mqtt://:1?socket=b", "mqtt://:1?socket=b", URL{Scheme: MQTT, Port: 1, Query: url.Values{"socket": {"b"}}}},
		{"unix://?socket=b", "unix://?socket=b", URL{Scheme: Unix, Query: url.Values{"socket": {"b"}}}},
		{"auto://:1?accept=tls,high", "auto://:1?accept=tls%2Chigh", URL{Scheme: Auto, Port: 1, Query: url.Values{"accept": {"tls,high"}}}},
	}
	for _, c := range cases {
		got, err := ParseListener(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.text, diff)
		}
		if got.String() != c.written {
			t.Errorf("%s is written %s, want %s", c.text, got, c.written)
		}
		if again, err := ParseListener(got.String()); err != nil || !cmp.Equal(again, got) {
			t.Errorf("%s is read again as %v, %v", got, again, err)
		}
	}
}

func TestBadListenerAddressesSayWhatIsWrong(t *testing.T) {
	cases := []struct{ text, explains string }{
		{"127.0.0.1:1883", "has no scheme: write mqtt://127.0.0.1:1883"},
		{"", "has no scheme"},
		{"tcp://:1883", "did you mean mqtt://?"},
		{"ssl://:1883", "did you mean mqtts://?"},
		{"https://:443", "did you mean wss://?"},
		{"mqt://:1883", "did you mean mqtt://?"},
		{"gopher://:70", "known are mqtt, mqtts, ws, wss, psk, unix, auto"},
		{"mqtt://:65536", `port "65536" is not a number from 0 to 65535`},
		{"mqtt://:http", `port "http" is not a number`},
		{"mqtt://host:", "the port after"},
		{"mqtt://user:secret@host", `"mqtt://...@host": credentials do not belong`},
		{"mqtt://host/path", "has no path"},
		{"mqtt://[::1", "not an IPv6 address in brackets"},
		{"mqtt://[host]:1", "not an IPv6 address in brackets"},
		{"mqtt://a:b:1883", "stands in brackets"},
		{"unix://", "has no path"},
		{"mqtt://:1?a=%zz", "bad parameters"},
		{"mqtt://:1?a=b", `unknown parameter "a"; known are accept and socket`},
		{"mqtt://:1?socket=", `parameter "socket" needs one value`},
		{"mqtt://:1?socket=a&socket=b", `parameter "socket" needs one value`},
		{"mqtt://:1?accept=high", `mqtt:// has no level "high"; it has low`},
		{"auto://:1?accept=tls,psk", `auto:// has no level "psk"; it has low,tls,medium,high`},
	}
	for _, c := range cases {
		u, err := ParseListener(c.text)
		if err == nil || !strings.Contains(err.Error(), c.explains) {
			t.Errorf("%q: %v, %v; want an error that says %q", c.text, u, err, c.explains)
		}
	}
}

func TestTargetAddresses(t *testing.T) {
	for _, text := range []string{"mqtt://localhost", "mqtts://broker.example:1883", "ws://127.0.0.1:8080/mqtt", "unix:///run/sampan.sock"} {
		if _, err := ParseTarget(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	cases := []struct{ text, explains string }{
		{"auto://localhost", "unknown scheme auto://"},
		{"mqtt://:1883", "has no host: write mqtt://localhost"},
		{"mqtt://localhost:0", "port 0 is for listeners"},
		{"mqtt://localhost?a=b", "no parameters"},
	}
	for _, c := range cases {
		if u, err := ParseTarget(c.text); err == nil || !strings.Contains(err.Error(), c.explains) {
			t.Errorf("%q: %v, %v; want an error that says %q", c.text, u, err, c.explains)
		}
	}
}

func TestListenersReplaceTheDefaultAndAddUp(t *testing.T) {
	l := Listeners{URLs: []URL{{Scheme: MQTT, Host: "127.0.0.1", Port: 1883}}}
	for _, text := range []string{"mqtt://:1", "unix:///s"} {
		if err := l.Set(text); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"mqtt://:1", "unix:///s"}, l.GetSlice()); diff != "" {
		t.Errorf("set twice: (-want +got)\n%s", diff)
	}
	if err := l.Replace([]string{"ws://:2", "bad"}); err == nil || len(l.URLs) != 2 {
		t.Errorf("a bad list was taken: %v, %v", l.URLs, err)
	}
	if err := l.Replace([]string{"ws://:2"}); err != nil || l.String() != "[ws://:2]" {
		t.Errorf("replaced: %v, %v", l.URLs, err)
	}
	if err := l.Set("ws://:3"); err != nil || len(l.URLs) != 2 {
		t.Errorf("after a list the next one was not added: %v, %v", l.URLs, err)
	}
}

func TestLoopback(t *testing.T) {
	cases := []struct {
		text string
		want bool
	}{
		{"mqtt://127.0.0.1", true}, {"mqtt://127.9.9.9", true}, {"mqtt://[::1]", true}, {"mqtt://localhost", true},
		{"unix:///s", true}, {"mqtt://", false}, {"mqtt://0.0.0.0", false}, {"mqtt://10.0.0.1", false}, {"mqtt://broker.example", false},
	}
	for _, c := range cases {
		u, err := ParseListener(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if u.Loopback() != c.want {
			t.Errorf("%s: loopback %v, want %v", c.text, u.Loopback(), c.want)
		}
	}
}

func TestHTTPAddress(t *testing.T) {
	h := ServeAt("127.0.0.1:8080")
	for _, c := range []struct{ text, want string }{
		{":9090", ":9090"}, {"off", ""}, {"[::1]:80", "[::1]:80"}, {"localhost:0", "localhost:0"},
	} {
		if err := h.Set(c.text); err != nil || h.HostPort() != c.want || h.String() != c.text {
			t.Errorf("%q: %q, written %q, %v", c.text, h.HostPort(), h, err)
		}
	}
	for _, c := range []struct{ text, explains string }{
		{"localhost", "has no port: write localhost:8080, or off"}, {"::1", "has no port: write [::1]:8080"},
		{"9100", "a port alone: write 127.0.0.1:9100 for this machine, :9100 for every address"}, {"false", "write off to have none"},
		{"true", "write where, as in 127.0.0.1:8080, or off"}, {"70000", "has no port"}, {"localhost:http", "not a number"}, {"localhost:", "missing"}, {"http://localhost:80", "stands in brackets"},
	} {
		if err := h.Set(c.text); err == nil || !strings.Contains(err.Error(), c.explains) {
			t.Errorf("%q: %v; want an error that says %q", c.text, err, c.explains)
		}
	}
}

// Whatever is read is written so that it is read again as the same.
func FuzzParseListener(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		defer ceiling.Bytes(ceiling.Lots + 64*len(text)).Hold(t)()
		u, err := ParseListener(text)
		if err != nil {
			return
		}
		again, err := ParseListener(u.String())
		if err != nil {
			t.Fatalf("%q is written %q, which cannot be read: %v", text, u, err)
		}
		if diff := cmp.Diff(u, again, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q is written %q: (-first +again)\n%s", text, u, diff)
		}
	})
}
