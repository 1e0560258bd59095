package envelope

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	tests := []struct {
		payload string
		code    Code
		id      string
		params  string
		noReply bool
	}{
		{`{"id":"1","params":{"a":1}}`, OK, "1", `{"a":1}`, false},
		{`{"id":123,"params":[]}`, OK, "123", `[]`, false},
		{`{"id":"1|exp-topic|/sys/pk/dn/thing/event/property/post_reply","params":{}}`, OK, "1|exp-topic|/sys/pk/dn/thing/event/property/post_reply", `{}`, false},
		{`{"id":"2","params":"{}"}`, OK, "2", `{}`, false}, // the C SDK 4
		{`{"id":"2","params":"text"}`, OK, "2", `"text"`, false},
		{`{"id":"3","params":null}`, OK, "3", ``, false},
		{`{"id":null}`, OK, "", ``, false},
		{`{"id":"4","sys":{"ack":0}}`, OK, "4", ``, true},
		{`{"id":"4","sys":{"ack":1}}`, OK, "4", ``, false},
		{`{"id":"4","params":` + nested(MaxDepth) + `}`, OK, "4", nested(MaxDepth), false},
		{`{"id":"4","params":` + nested(MaxDepth+1) + `,"sys":{"ack":0}}`, ParamError, "4", nested(MaxDepth + 1), true},
		{`{"id":"4","params":"` + nested(MaxDepth+1) + `"}`, ParamError, "4", nested(MaxDepth + 1), false},
		{`{"id":"4","params":"` + nested(10_000) + `"}`, ParamError, "4", nested(10_000), false},
		{`{"id":"5","method":7}`, ParamError, "5", ``, false},
		{`[]`, ParamError, "", ``, false},
		{`{"id":"6"`, NotJSON, "", ``, false},
		{``, NotJSON, "", ``, false},
		{strings.Repeat("[", 100_000), NotJSON, "", ``, false},
	}
	for _, test := range tests {
		name := test.payload[:min(len(test.payload), 60)]
		r, code := Parse([]byte(test.payload))
		if code != test.code || r.ID != test.id || string(r.Params) != test.params || r.NoReply != test.noReply {
			t.Errorf("%s: %+v, code %d", name, r, code)
		}
	}
}

func TestReply(t *testing.T) {
	r := Request{ID: "1|exp-topic|/a&b", Method: "thing.event.property.post"}
	for _, test := range []struct {
		code    Code
		message string
		data    any
		want    string
	}{
		{OK, "", nil, `{"id":"1|exp-topic|/a&b","code":200,"data":{},"message":"success","method":"thing.event.property.post","version":"1.0"}`},
		{ParamError, "no params", nil, `{"id":"1|exp-topic|/a&b","code":460,"data":{},"message":"no params","method":"thing.event.property.post","version":"1.0"}`},
		// The C SDK's reader of JSON does not know \u0026.
		{OK, "", map[string]string{"url": "http://h/f?a=1&b=<2>"}, `{"id":"1|exp-topic|/a&b","code":200,"data":{"url":"http://h/f?a=1&b=<2>"},"message":"success","method":"thing.event.property.post","version":"1.0"}`},
		{OK, "", func() {}, `{"id":"1|exp-topic|/a&b","code":500,"data":{},"message":"system error","method":"thing.event.property.post","version":"1.0"}`},
	} {
		if got := string(Reply(r, test.code, test.message, test.data)); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}
