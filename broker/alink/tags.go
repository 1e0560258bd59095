package alink

import (
	"encoding/json"
	"errors"

	"sampan/broker/alink/envelope"
	"sampan/broker/device"
)

// tag is a device's tag as it is posted.
type tag struct {
	Key   string `json:"attrKey"`
	Value string `json:"attrValue"`
}

// updateTags sets tags; params is a list of them, or a single one.
func (s *Service) updateTags(t topic, r envelope.Request) (envelope.Code, string, any) {
	tags, ok := readTags(r.Params)
	if !ok {
		return envelope.ParamError, "params is not a list of attrKey and attrValue", nil
	}
	set := make([]device.Tag, len(tags))
	for i, g := range tags {
		set[i] = device.Tag{Key: g.Key, Value: g.Value}
	}
	return s.setTags(t, set, nil)
}

func (s *Service) deleteTags(t topic, r envelope.Request) (envelope.Code, string, any) {
	tags, ok := readTags(r.Params)
	if !ok {
		return envelope.ParamError, "params is not a list of attrKey", nil
	}
	remove := make([]string, len(tags))
	for i, g := range tags {
		remove[i] = g.Key
	}
	return s.setTags(t, nil, remove)
}

func (s *Service) setTags(t topic, set []device.Tag, remove []string) (envelope.Code, string, any) {
	_, err := s.opts.Registry.SetTags(t.productKey, t.deviceName, set, remove)
	switch {
	case errors.Is(err, device.ErrInvalid), errors.Is(err, device.ErrLimit):
		return envelope.ParamError, err.Error(), nil
	case err != nil:
		return envelope.SystemError, err.Error(), nil
	}
	s.watchers(Event{ProductKey: t.productKey, DeviceName: t.deviceName, Kind: TagsChanged})
	return envelope.OK, "", nil
}

// getTags answers with a device's tags.
func (s *Service) getTags(t topic, _ envelope.Request) (envelope.Code, string, any) {
	d, err := s.opts.Registry.Device(t.productKey, t.deviceName)
	if err != nil {
		return envelope.SystemError, err.Error(), nil
	}
	list := []tag{}
	for _, g := range d.Info().Tags {
		list = append(list, tag{g.Key, g.Value})
	}
	return envelope.OK, "", list
}

func readTags(params json.RawMessage) ([]tag, bool) {
	var list []tag
	if json.Unmarshal(params, &list) == nil {
		return list, true
	}
	var one tag
	if json.Unmarshal(params, &one) == nil && one.Key != "" {
		return []tag{one}, true
	}
	return nil, false
}
