package alink

import (
	"encoding/json"
	"strconv"

	"sampan/broker/alink/envelope"
)

// ntp answers a request for the time. The values have the type that the device used: text for text, a number
// for a number.
func (s *Service) ntp(t topic, payload []byte) {
	received := s.opts.Now().UnixMilli()
	var q struct {
		DeviceSendTime json.RawMessage `json:"deviceSendTime"`
	}
	if json.Unmarshal(payload, &q) != nil || len(q.DeviceSendTime) == 0 {
		s.refused("/ext/ntp/"+t.productKey+"/"+t.deviceName+"/request", envelope.NotJSON, "no deviceSendTime")
		return
	}
	number := func(ms int64) json.RawMessage {
		text := strconv.FormatInt(ms, 10)
		if q.DeviceSendTime[0] == '"' {
			text = `"` + text + `"`
		}
		return json.RawMessage(text)
	}
	answer, err := envelope.Marshal(struct {
		DeviceSendTime json.RawMessage `json:"deviceSendTime"`
		ServerRecvTime json.RawMessage `json:"serverRecvTime"`
		ServerSendTime json.RawMessage `json:"serverSendTime"`
	}{q.DeviceSendTime, number(received), number(s.opts.Now().UnixMilli())})
	if err == nil {
		s.send("/ext/ntp/"+t.productKey+"/"+t.deviceName+"/response", answer)
	}
}
