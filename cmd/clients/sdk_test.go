package clients

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sampan/cmd/internal/testtls"
)

// sixteen are the topics that the official Node SDK subscribes on its own, below /sys/PK/DN/thing unless
// they begin with a slash (platform: facts, section 7).
var sixteen = []string{
	"event/property/post_reply", "service/property/set", "event/+/post_reply", "deviceinfo/update_reply", "deviceinfo/delete_reply",
	"config/get_reply", "/shadow/get/PK/DN", "config/push", "config/push_reply",
	"topo/add_reply", "topo/delete_reply", "topo/get_reply", "/ext/session/PK/DN/combine/login_reply", "/ext/session/PK/DN/combine/logout_reply",
	"sub/register_reply", "/sys/PK/DN/rrpc/request/+",
}

func TestTheOfficialNodeSDKConnectsUnchanged(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes; the binary in them has no race detector")
	}
	need(t, missingNodePackage("alibabacloud-iot-device-sdk")())
	server := testtls.NewServer(t)
	for _, scheme := range []string{"mqtt", "mqtts", "wss"} {
		t.Run(scheme, func(t *testing.T) { sdk(t, scheme, server) })
	}
}

// sdk runs the SDK over a channel. Over TLS it is told of the certificate as Node's users do.
func sdk(t *testing.T, scheme string, server *testtls.Server) {
	s := start(t, "--listen", "mqtts://127.0.0.1:0", "--listen", "wss://127.0.0.1:0", "--cert", server.CertFile, "--key", server.KeyFile, "--match-channel")
	d := s.device(t, "sdk-device")
	command := node("device.js", map[string]string{
		"productKey": productKey, "deviceName": d.DeviceName, "deviceSecret": d.DeviceSecret, "brokerUrl": s.url(t, scheme),
	})
	command.Env = append(command.Env, "NODE_EXTRA_CA_CERTS="+server.CertFile)
	device := run(t, command)
	device.out.wait(t, "connected")
	device.out.wait(t, "published")

	var want []string
	for _, topic := range sixteen {
		if !strings.HasPrefix(topic, "/") {
			topic = "/sys/PK/DN/thing/" + topic
		}
		want = append(want, strings.NewReplacer("PK", productKey, "DN", d.DeviceName).Replace(topic))
	}
	want = append(want, fmt.Sprintf("/sys/%s/%s/thing/service/add", productKey, d.DeviceName)) // of the script
	var got []string
	for range want {
		line := s.log.wait(t, "msg=subscribed")
		_, topic, _ := strings.Cut(line, "topic=")
		topic, _, _ = strings.Cut(topic, " ")
		got = append(got, topic)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("subscribed: (-want +got)\n%s", diff)
	}

	answer := sampan(t, "rrpc", productKey, d.DeviceName, `{"id":"7","version":"1.0","method":"thing.service.add","params":{"a":2,"b":3}}`, "--data", s.data)
	var reply struct {
		ID   string
		Code int
		Data struct{ Sum int }
	}
	decode(t, answer, &reply)
	if reply.ID != "7" || reply.Code != 200 || reply.Data.Sum != 5 {
		t.Errorf("the SDK answered %s", answer)
	}
	device.out.wait(t, `service {"a":2,"b":3}`)

	// It goes when it is told to, and the broker sees it go.
	if err := device.stdin.Close(); err != nil {
		t.Error(err)
	}
	device.end(t)
	s.log.wait(t, "reason=client-disconnected")
}
