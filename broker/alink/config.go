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
	file, err := s.Config(t.productKey)
	if code, message := s.codeOf(err); code != envelope.OK {
		return code, message, nil
	}
	if file == nil && s.opts.Config != nil {
		file = s.opts.Config(t.productKey)
	}
	if file == nil {
		return envelope.NoConfig, "", nil
	}
	return envelope.OK, "", file.complete()
}

// Config returns the configuration file that SetConfig gave a product, or nil.
func (s *Service) Config(productKey string) (file *ConfigFile, err error) {
	err = s.kept.configs.with(productKey, func(f **ConfigFile) bool { file = *f; return false })
	return file, err
}

func (f ConfigFile) complete() ConfigFile {
	if f.SignMethod == "" {
		f.SignMethod = "Sha256"
	}
	f.GetType = "file"
	return f
}

// SetConfig gives a product a configuration file; nil takes it away. It returns when that holds. PushConfig
// tells a device.
func (s *Service) SetConfig(productKey string, file *ConfigFile) error {
	if _, err := s.opts.Registry.Product(productKey); err != nil {
		return err
	}
	if err := s.kept.configs.with(productKey, func(f **ConfigFile) bool { *f = file; return true }); err != nil {
		return err
	}
	return s.kept.ledger.Wait()
}

// PushConfig tells a device of its product's configuration file (thing.config.push). The error is ErrNotSubscribed
// if the device could not be told; it may ask by itself.
func (s *Service) PushConfig(productKey, deviceName string, file ConfigFile) error {
	params, err := json.Marshal(file.complete())
	if err == nil {
		_, err = s.ask(productKey, deviceName, "config/push", params)
	}
	return err
}

// getLogConfig answers that devices are not to send logs.
func (s *Service) getLogConfig(topic, envelope.Request) (envelope.Code, string, any) {
	return envelope.OK, "", json.RawMessage(`{"getType":"content","content":{"mode":0}}`)
}
