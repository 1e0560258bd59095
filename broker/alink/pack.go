package alink

import (
	"encoding/json"
	"maps"
	"slices"

	"sampan/broker/alink/envelope"
)

// posted is what one device posts in a request that carries several things.
type posted struct {
	of         topic
	properties []map[string]json.RawMessage
	events     []map[string]json.RawMessage
}

type identity struct {
	ProductKey string `json:"productKey"`
	DeviceName string `json:"deviceName"`
}

// postPack takes properties and events of a device and, for a gateway, of its sub-devices:
// {"properties":{...},"events":{...},"subDevices":[{"identity":{...},"properties":{...},"events":{...}}]}.
func (s *Service) postPack(t topic, r envelope.Request) (envelope.Code, string, any) {
	type things struct {
		Identity   identity                   `json:"identity"`
		Properties map[string]json.RawMessage `json:"properties"`
		Events     map[string]json.RawMessage `json:"events"`
	}
	var q struct {
		things
		SubDevices []things `json:"subDevices"`
	}
	if len(r.Params) == 0 || json.Unmarshal(r.Params, &q) != nil {
		return envelope.ParamError, "params is not an object of properties, events and subDevices", nil
	}
	list := func(m map[string]json.RawMessage) []map[string]json.RawMessage {
		if len(m) == 0 {
			return nil
		}
		return []map[string]json.RawMessage{m}
	}
	all := []posted{{t, list(q.Properties), list(q.Events)}}
	for _, sub := range q.SubDevices {
		of := topic{sub.Identity.ProductKey, sub.Identity.DeviceName, thing, t.path}
		all = append(all, posted{of, list(sub.Properties), list(sub.Events)})
	}
	return s.postAll(t, r.Method, all)
}

// postHistory takes what devices could not post at the time:
// [{"identity":{...},"properties":[{...},...],"events":[{...},...]}].
func (s *Service) postHistory(t topic, r envelope.Request) (envelope.Code, string, any) {
	var q []struct {
		Identity   identity                     `json:"identity"`
		Properties []map[string]json.RawMessage `json:"properties"`
		Events     []map[string]json.RawMessage `json:"events"`
	}
	if len(r.Params) == 0 || json.Unmarshal(r.Params, &q) != nil {
		return envelope.ParamError, "params is not a list of identity, properties and events", nil
	}
	var all []posted
	for _, of := range q {
		all = append(all, posted{topic{of.Identity.ProductKey, of.Identity.DeviceName, thing, t.path}, of.Properties, of.Events})
	}
	return s.postAll(t, r.Method, all)
}

// postBatch takes several values of each property and event:
// {"properties":{"a":[{"value":v,"time":ms},...]},"events":{"e":[{"value":{...},"time":ms},...]}}.
func (s *Service) postBatch(t topic, r envelope.Request) (envelope.Code, string, any) {
	var q struct {
		Properties map[string][]json.RawMessage `json:"properties"`
		Events     map[string][]json.RawMessage `json:"events"`
	}
	if len(r.Params) == 0 || json.Unmarshal(r.Params, &q) != nil {
		return envelope.ParamError, "params is not an object of properties and events, each a list", nil
	}
	return s.postAll(t, r.Method, []posted{{t, rows(q.Properties), rows(q.Events)}})
}

// rows turns lists by name into the first, second, ... values of all names.
func rows(lists map[string][]json.RawMessage) (all []map[string]json.RawMessage) {
	for name, values := range lists {
		for i, v := range values {
			if i == len(all) {
				all = append(all, make(map[string]json.RawMessage))
			}
			all[i][name] = v
		}
	}
	return all
}

// postAll takes everything that was posted, or nothing.
func (s *Service) postAll(t topic, method string, all []posted) (envelope.Code, string, any) {
	subs, events := make(map[topic]bool), 0
	for _, p := range all {
		properties := 0
		for _, row := range p.properties {
			properties += len(row)
		}
		for _, row := range p.events {
			events += len(row)
			for name := range row {
				if _, ok := eventOf("event/" + name + "/post"); !ok {
					return envelope.ParamError, "the name of an event is not one", nil
				}
			}
		}
		if code, message := s.within("properties-per-post", t, properties, s.limits.PropertiesPerPost, envelope.TooManyProps); code != envelope.OK {
			return code, message, nil
		}
		if p.of.productKey == t.productKey && p.of.deviceName == t.deviceName {
			continue
		}
		subs[p.of] = true
		if s.opts.MayPostFor == nil || !s.opts.MayPostFor(t.productKey, t.deviceName, p.of.productKey, p.of.deviceName) {
			return envelope.NoSession, p.of.productKey + "/" + p.of.deviceName + " is not logged in through this gateway", nil
		}
	}
	if code, message := s.within("sub-devices-per-pack-post", t, len(subs), s.limits.SubDevicesPerPackPost, envelope.ParamError); code != envelope.OK {
		return code, message, nil
	}
	if code, message := s.within("events-per-pack-post", t, events, s.limits.EventsPerPackPost, envelope.ParamError); code != envelope.OK {
		return code, message, nil
	}
	for _, p := range all {
		for _, row := range p.properties {
			if code, message := s.keepProperties(p.of, row); code != envelope.OK {
				return code, message, nil
			}
			params, err := envelope.Marshal(row)
			if err == nil {
				s.watchers(Event{ProductKey: p.of.productKey, DeviceName: p.of.deviceName, Kind: PropertyPost, Method: method, Params: params})
			}
		}
		for _, row := range p.events {
			for _, name := range slices.Sorted(maps.Keys(row)) {
				s.watchers(Event{ProductKey: p.of.productKey, DeviceName: p.of.deviceName, Kind: EventPost, Name: name, Method: method, Params: row[name]})
			}
		}
	}
	return envelope.OK, "", nil
}
