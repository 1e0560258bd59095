package alink

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"sampan/broker/alink/envelope"
)

// Property is a property as a device has posted it.
type Property struct {
	Value json.RawMessage
	Time  time.Time
}

// Desired is a property as the server wants it to be.
type Desired struct {
	Value   json.RawMessage `json:"value"`
	Version int64           `json:"version"`
}

// postProperties takes a property post: each property is a bare value or {"value":v,"time":ms}.
func (s *Service) postProperties(t topic, r envelope.Request) (envelope.Code, string, any) {
	var params map[string]json.RawMessage
	if len(r.Params) == 0 || json.Unmarshal(r.Params, &params) != nil {
		return envelope.ParamError, "params is not an object", nil
	}
	if len(params) > s.opts.MaxProperties {
		return envelope.TooManyProps, strconv.Itoa(len(params)) + " properties, at most " + strconv.Itoa(s.opts.MaxProperties), nil
	}
	now := s.opts.Now()
	s.states.with(t.productKey, t.deviceName, func(d *state) {
		for name, raw := range params {
			if _, known := d.properties[name]; !known && len(d.properties) >= s.opts.MaxProperties {
				continue
			}
			if d.properties == nil {
				d.properties = make(map[string]Property)
			}
			d.properties[name] = property(raw, now)
		}
	})
	s.watchers(Event{ProductKey: t.productKey, DeviceName: t.deviceName, Kind: PropertyPost, Method: r.Method, Params: r.Params})
	return envelope.OK, "", nil
}

// property reads a posted property.
func property(raw json.RawMessage, now time.Time) Property {
	var stamped struct {
		Value json.RawMessage `json:"value"`
		Time  *int64          `json:"time"`
	}
	if json.Unmarshal(raw, &stamped) == nil && stamped.Value != nil {
		p := Property{Value: slices.Clone(stamped.Value), Time: now}
		if stamped.Time != nil {
			p.Time = time.UnixMilli(*stamped.Time)
		}
		return p
	}
	return Property{Value: slices.Clone(raw), Time: now}
}

// Properties returns what a device has posted last.
func (s *Service) Properties(productKey, deviceName string) map[string]Property {
	var all map[string]Property
	s.states.with(productKey, deviceName, func(d *state) { all = maps.Clone(d.properties) })
	return all
}

// SetDesired sets desired properties. A version of 0 is not checked; another one must be the one that the
// property has now. It returns the new versions.
func (s *Service) SetDesired(productKey, deviceName string, items map[string]json.RawMessage, versions map[string]int64) (now map[string]int64, ok bool) {
	s.states.with(productKey, deviceName, func(d *state) {
		for name := range items {
			if v := versions[name]; v != 0 && v != d.desired[name].Version {
				return
			}
			if _, known := d.desired[name]; !known && len(d.desired) >= s.opts.MaxProperties {
				return
			}
		}
		ok, now = true, make(map[string]int64)
		if d.desired == nil {
			d.desired = make(map[string]Desired)
		}
		for name, value := range items {
			next := Desired{slices.Clone(value), d.desired[name].Version + 1}
			d.desired[name] = next
			now[name] = next.Version
		}
	})
	return now, ok
}

// Desired returns the desired properties of a device.
func (s *Service) Desired(productKey, deviceName string) map[string]Desired {
	var all map[string]Desired
	s.states.with(productKey, deviceName, func(d *state) { all = maps.Clone(d.desired) })
	return all
}

// getDesired answers with the desired properties that are asked for, or with all.
func (s *Service) getDesired(t topic, r envelope.Request) (envelope.Code, string, any) {
	var names []string
	if len(r.Params) > 0 && json.Unmarshal(r.Params, &names) != nil && string(r.Params) != "{}" {
		return envelope.ParamError, "params is not a list of properties", nil
	}
	all := s.Desired(t.productKey, t.deviceName)
	if len(names) == 0 {
		if all == nil {
			return envelope.OK, "", nil
		}
		return envelope.OK, "", all
	}
	wanted := make(map[string]Desired)
	for _, name := range names {
		if v, ok := all[name]; ok {
			wanted[name] = v
		}
	}
	return envelope.OK, "", wanted
}

// deleteDesired removes desired properties: all of them for empty params, or those named, each only if its
// version is the one given, where one is given.
func (s *Service) deleteDesired(t topic, r envelope.Request) (envelope.Code, string, any) {
	var named map[string]*struct {
		Version *int64 `json:"version"`
	}
	if len(r.Params) > 0 && json.Unmarshal(r.Params, &named) != nil {
		return envelope.ParamError, "params is not an object", nil
	}
	s.states.with(t.productKey, t.deviceName, func(d *state) {
		if len(named) == 0 {
			clear(d.desired)
		}
		for name, want := range named {
			if want == nil || want.Version == nil || *want.Version == d.desired[name].Version {
				delete(d.desired, name)
			}
		}
	})
	return envelope.OK, "", nil
}
