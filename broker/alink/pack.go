package alink

import (
	"encoding/json"
	"maps"
	"slices"

	"sampan/broker/alink/envelope"
)

// posted is what one entry of a request posts for a device; a request may have several for the same one.
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
	// Looked at before there is a row for each value, which takes many times the bytes of the request.
	if code, message := s.withinProperties(t, values(q.Properties)); code != envelope.OK {
		return code, message, nil
	}
	if code, message := s.withinEvents(t, values(q.Events)); code != envelope.OK {
		return code, message, nil
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

// values counts the values in lists by name.
func values(lists map[string][]json.RawMessage) (n int) {
	for _, list := range lists {
		n += len(list)
	}
	return n
}

// cells counts the values in rows.
func cells(rows []map[string]json.RawMessage) (n int) {
	for _, row := range rows {
		n += len(row)
	}
	return n
}

// withinProperties holds the properties that a request posts for one device to the limit.
func (s *Service) withinProperties(t topic, n int) (envelope.Code, string) {
	return s.within("properties-per-post", t, n, s.limits.PropertiesPerPost, envelope.TooManyProps)
}

// withinEvents holds the events of a request to the limit.
func (s *Service) withinEvents(t topic, n int) (envelope.Code, string) {
	return s.within("events-per-pack-post", t, n, s.limits.EventsPerPackPost, envelope.ParamError)
}

// postAll takes everything that was posted, or nothing. Only where there is no room for what one device has
// posted, the properties of those before it are kept all the same; then nobody is told of any.
func (s *Service) postAll(t topic, method string, all []posted) (envelope.Code, string, any) {
	if code, message := s.mayPost(t, all); code != envelope.OK {
		return code, message, nil
	}
	if code, message := s.keepAll(all); code != envelope.OK {
		return code, message, nil
	}
	for _, p := range all {
		for _, row := range p.properties {
			if len(row) == 0 { // says nothing, and is not counted by any limit
				continue
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

// mayPost holds a request to the limits, and a gateway to its sub-devices. The limit on properties is each
// device's, however many entries of the request they come in.
func (s *Service) mayPost(t topic, all []posted) (envelope.Code, string) {
	properties, subs, events := make(map[topic]int), make(map[topic]bool), 0
	for _, p := range all {
		properties[p.of] += cells(p.properties)
		events += cells(p.events)
		if code, message := s.withinProperties(t, properties[p.of]); code != envelope.OK {
			return code, message
		}
		if p.of.productKey == t.productKey && p.of.deviceName == t.deviceName || subs[p.of] {
			continue
		}
		subs[p.of] = true
		if s.opts.MayPostFor == nil || !s.opts.MayPostFor(t.productKey, t.deviceName, p.of.productKey, p.of.deviceName) {
			return envelope.NoSession, p.of.productKey + "/" + p.of.deviceName + " is not logged in through this gateway"
		}
	}
	if code, message := s.within("sub-devices-per-pack-post", t, len(subs), s.limits.SubDevicesPerPackPost, envelope.ParamError); code != envelope.OK {
		return code, message
	}
	if code, message := s.withinEvents(t, events); code != envelope.OK {
		return code, message
	}
	for _, p := range all {
		for _, row := range p.events {
			for name := range row {
				if _, ok := eventOf("event/" + name + "/post"); !ok {
					return envelope.ParamError, "the name of an event is not one"
				}
			}
		}
	}
	return envelope.OK, ""
}

// keepAll makes the posted properties the latest; of those that come several times, the last one. What is kept
// of a device is one record, of any length, so it is written once for all that the request says of it.
func (s *Service) keepAll(all []posted) (envelope.Code, string) {
	latest := make(map[topic]map[string]json.RawMessage)
	var devices []topic // in their order
	for _, p := range all {
		for _, row := range p.properties {
			if len(row) == 0 {
				continue
			}
			if latest[p.of] == nil {
				latest[p.of] = make(map[string]json.RawMessage)
				devices = append(devices, p.of)
			}
			maps.Copy(latest[p.of], row)
		}
	}
	for _, of := range devices {
		if code, message := s.keepProperties(of, latest[of]); code != envelope.OK {
			return code, message
		}
	}
	return envelope.OK, ""
}
