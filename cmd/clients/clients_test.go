package clients

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// names makes device names that are good and different.
func names(tool tool, level, qos int, what string) string {
	return fmt.Sprintf("%s.%d.%d.%s", tool.name, level, qos, what)
}

func TestSignedClientsPublishAndSubscribe(t *testing.T) {
	var s *server
	if !testing.Short() {
		s = start(t)
	}
	each(t, func(t *testing.T, tool tool, level, qos int) {
		subscriber, publisher := s.device(t, names(tool, level, qos, "sub")), s.device(t, names(tool, level, qos, "pub"))
		topic := "/broadcast/" + productKey + "/" + subscriber.DeviceName
		payloads := []string{"one", "two", "three"}
		sub := run(t, tool.command(job{
			login: subscriber, Host: s.host, Port: s.port, Level: level, Clean: true, QoS: qos, Topic: topic, Subscribe: true, Count: len(payloads),
		}))
		sub.out.wait(t, fmt.Sprintf("subscribed %d", qos))
		pub := run(t, tool.command(job{
			login: publisher, Host: s.host, Port: s.port, Level: level, Clean: true, QoS: qos, Topic: topic, Publish: true, Payloads: payloads,
		}))
		pub.end(t)
		sub.end(t)
		var want []string
		for _, payload := range payloads {
			want = append(want, fmt.Sprintf("message %d %s %s", qos, topic, payload))
		}
		if diff := cmp.Diff(want, sub.words("message")); diff != "" {
			t.Errorf("received: (-want +got)\n%s", diff)
		}
	})
}

func TestPersistentSessionsOutliveTheConnection(t *testing.T) {
	var s *server
	if !testing.Short() {
		s = start(t)
	}
	each(t, func(t *testing.T, tool tool, level, qos int) {
		subscriber, publisher := s.device(t, names(tool, level, qos, "sub")), s.device(t, names(tool, level, qos, "pub"))
		topic := "/broadcast/" + productKey + "/" + subscriber.DeviceName
		subscription := job{login: subscriber, Host: s.host, Port: s.port, Level: level, Clean: false, QoS: qos, Topic: topic, Subscribe: true}
		first := run(t, tool.command(subscription))
		first.out.wait(t, fmt.Sprintf("subscribed %d", qos))
		first.end(t)

		publication := job{login: publisher, Host: s.host, Port: s.port, Level: level, Clean: false, QoS: qos, Topic: topic, Publish: true, Payloads: []string{"while away 1", "while away 2"}}
		run(t, tool.command(publication)).end(t)

		// QoS 1 waits for the client; QoS 0 does not, so it is sent once more when the client is back.
		subscription.Count = 2
		again := run(t, tool.command(subscription))
		if qos == 0 {
			again.out.wait(t, "subscribed 0")
			publication.Payloads = []string{"while here 1", "while here 2"}
			run(t, tool.command(publication)).end(t)
		}
		again.end(t)
		var want []string
		for _, payload := range publication.Payloads {
			want = append(want, fmt.Sprintf("message %d %s %s", qos, topic, payload))
		}
		if diff := cmp.Diff(want, again.words("message")); diff != "" {
			t.Errorf("received: (-want +got)\n%s", diff)
		}
		if present := again.words("connected"); len(present) > 0 {
			// MQTT 3.1 has no bit for it.
			want := map[int]string{3: "connected 0", 4: "connected 1"}[level]
			if present[0] != want {
				t.Errorf("%q, want %q", present[0], want)
			}
		}
	})
}

func TestAWrongSecretIsRefused(t *testing.T) {
	var s *server
	if !testing.Short() {
		s = start(t)
	}
	each(t, func(t *testing.T, tool tool, level, qos int) {
		if qos == 1 {
			t.Skip("has nothing to do with QoS")
		}
		d := s.device(t, names(tool, level, qos, "bad"))
		d.Password = strings.Repeat("0", len(d.Password))
		client := run(t, tool.command(job{
			login: d, Host: s.host, Port: s.port, Level: level, Clean: true, Topic: "/broadcast/" + productKey + "/x", Publish: true, Payloads: []string{"x"},
		}))
		if err := client.command.Wait(); err == nil {
			t.Errorf("a client with a wrong signature ended well\n%s", client.out)
		}
		line := ""
		for l := range strings.SplitSeq(s.log.String(), "\n") {
			if strings.Contains(l, d.DeviceName) && strings.Contains(l, "refused") {
				line = l
			}
		}
		if !strings.Contains(line, "signature") {
			t.Errorf("the broker's log does not say what was wrong: %q", line)
		}
	})
}
