package openapi_test

import (
	"encoding/base64"
	"testing"
	"time"

	"sampan/broker/quota"
)

// Each limit of the table on what servers ask for: it is taken from the table, refuses with the code, is
// counted, and lets go again.
func TestQuantitiesOfTheAPI(t *testing.T) {
	s := start(t, func(q *quota.Limits) {
		q.BroadcastPayload, q.RegisterBatch, q.SubscribersPerTopic = 10, 2, 1
		q.Rates[quota.RRPCCalls] = quota.PerSecond(1)
		q.Rates[quota.ShadowRequests] = quota.PerSecond(1)
		q.Rates[quota.TopicBroadcasts], q.Rates[quota.FullBroadcasts] = quota.PerSecond(2), quota.PerSecond(1)
		q.Rates[quota.Downlink] = quota.PerSecond(3)
	})
	s.device(t, "dev-1")
	b64 := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	device := []string{"ProductKey", "pk1", "DeviceName", "dev-1"}
	call := append([]string{"RequestBase64Byte", b64(1), "Timeout", "1000"}, device...)
	topic := []string{"ProductKey", "pk1", "TopicFullName", "/broadcast/pk1/a", "MessageContent"}
	all := []string{"ProductKey", "pk1", "MessageContent"}
	pub := []string{"ProductKey", "pk1", "TopicFullName", "/pk1/dev-1/get", "MessageContent", b64(1)}
	shadow := append([]string{"ShadowMessage", `{"method":"update","state":{"desired":{"a":1}},"version":-1}`}, device...)
	steps := []struct {
		action string
		params []string
		code   string
		rule   string // that has refused
	}{
		{"PubBroadcast", append(topic, b64(11)), "iot.messagebroker.MessageContentTooLong", "broadcast-payload"},
		{"PubBroadcast", append(topic, b64(10)), "", ""},
		{"PubBroadcast", append(topic, b64(10)), "", ""},
		{"PubBroadcast", append(topic, b64(10)), "iot.messagebroker.RateLimit", "topic-broadcasts"},
		{"PubBroadcast", append(all, b64(10)), "", ""},
		{"PubBroadcast", append(all, b64(10)), "iot.messagebroker.RateLimit", "full-broadcasts"},
		{"BatchRegisterDevice", []string{"ProductKey", "pk1", "Count", "2"}, "", ""},
		{"BatchRegisterDevice", []string{"ProductKey", "pk1", "Count", "3"}, "iot.common.InvalidFormattedParameter", "register-batch"},
		{"BatchCheckDeviceNames", []string{"ProductKey", "pk1", "DeviceName.1", "a-aa", "DeviceName.2", "b-bb"}, "", ""},
		{"BatchCheckDeviceNames", []string{"ProductKey", "pk1", "DeviceName.1", "a-aa", "DeviceName.2", "b-bb", "DeviceName.3", "c-cc"}, "iot.common.InvalidFormattedParameter", "register-batch"},
		{"RRpc", call, "", ""},
		{"RRpc", call, "iot.messagebroker.RateLimit", "rrpc-calls"},
		{"UpdateDeviceShadow", shadow, "", ""},
		{"UpdateDeviceShadow", shadow, "iot.messagebroker.RateLimit", "shadow-requests"},
		{"Pub", pub, "", ""},
		{"Pub", pub, "", ""},
		{"Pub", pub, "iot.messagebroker.RateLimit", "downlink"}, // the call counts, too
		{"BatchPub", []string{"ProductKey", "pk1", "DeviceName.1", "dev-1", "TopicShortName", "get", "MessageContent", b64(1)}, "iot.messagebroker.RateLimit", "downlink"},
		{"SetDeviceProperty", append([]string{"Items", "{}"}, device...), "iot.messagebroker.RateLimit", "downlink"},
		{"InvokeThingService", append([]string{"Identifier", "a", "Args", "{}"}, device...), "iot.messagebroker.RateLimit", "downlink"},
	}
	for i, step := range steps {
		before := s.Platform.Meter().Counts()[step.rule]
		if code := s.code(step.action, step.params...); code != step.code {
			t.Errorf("step %d, %s: %q, want %q", i, step.action, code, step.code)
		}
		if step.rule == "" {
			continue
		}
		if after := s.Platform.Meter().Counts()[step.rule]; after != before+1 {
			t.Errorf("step %d, %s: %s has refused %d times, before %d", i, step.action, step.rule, after, before)
		}
		if len(s.Log.Lines("rule="+step.rule)) == 0 {
			t.Errorf("step %d, %s: no line about %s", i, step.action, step.rule)
		}
	}
	s.Clock.Advance(time.Second)
	for _, step := range []int{1, 4, 10, 14} {
		if code := s.code(steps[step].action, steps[step].params...); code != "" {
			t.Errorf("a second later, %s: %s", steps[step].action, code)
		}
	}
}
