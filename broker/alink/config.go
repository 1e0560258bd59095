package alink

import (
	"encoding/json"

	"sampan/broker/alink/envelope"
)

// ConfigFile is a product's configuration file, which a device downloads from URL.
type ConfigFile struct {
	ID         string `json:"configId"`
	Size       int64  `json:"configSize"`
	Sign       string `json:"sign"`
	SignMethod string `json:"signMethod"`
	URL        string `json:"url"`
	GetType    string `json:"getType"`
}

func (s *Service) getConfig(t topic, r envelope.Request) (envelope.Code, string, any) {
	var q struct {
		Scope   string `json:"configScope"`
		GetType string `json:"getType"`
	}
	if len(r.Params) == 0 || json.Unmarshal(r.Params, &q) != nil || q.Scope != "product" || q.GetType != "file" {
		return envelope.ConfigScope, "", nil
	}
	if s.opts.Config == nil {
		return envelope.NoConfig, "", nil
	}
	file := s.opts.Config(t.productKey)
	if file == nil {
		return envelope.NoConfig, "", nil
	}
	out := *file
	if out.SignMethod == "" {
		out.SignMethod = "Sha256"
	}
	out.GetType = "file"
	return envelope.OK, "", out
}

// getLogConfig answers that devices are not to send logs.
func (s *Service) getLogConfig(topic, envelope.Request) (envelope.Code, string, any) {
	return envelope.OK, "", json.RawMessage(`{"getType":"content","content":{"mode":0}}`)
}
