package alink

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"sampan/broker/alink/envelope"
)

// Property is a property as a device has posted it.
type Property struct {
	Value json.RawMessage
	Time  time.Time // to the millisecond
}

// storedProperty is how a property is kept.
type storedProperty struct {
	Value json.RawMessage `json:"v"`
	Time  int64           `json:"t"` // milliseconds since 1970
}

// MarshalJSON writes the property as it is kept.
func (p Property) MarshalJSON() ([]byte, error) {
	return envelope.Marshal(storedProperty{p.Value, p.Time.UnixMilli()})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (p *Property) UnmarshalJSON(b []byte) error {
	var stored storedProperty
	err := json.Unmarshal(b, &stored)
	*p = Property{stored.Value, time.UnixMilli(stored.Time)}
	return err
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
	if code, message := s.withinProperties(t, len(params)); code != envelope.OK {
		return code, message, nil
	}
	if code, message := s.keepProperties(t, params); code != envelope.OK {
		return code, message, nil
	}
	s.watchers(Event{ProductKey: t.productKey, DeviceName: t.deviceName, Kind: PropertyPost, Method: r.Method, Params: r.Params})
	return envelope.OK, "", nil
}

// mostProperties bounds the properties that are kept of a device: those of its product's model, of which
// there are none here. Beyond it new ones are not kept.
const mostProperties = 1000

// keepProperties makes posted properties the latest.
func (s *Service) keepProperties(t topic, params map[string]json.RawMessage) (envelope.Code, string) {
	now := s.opts.Now()
	return s.codeOf(in(s, &s.kept.properties, t.productKey, t.deviceName, func(v *latest) bool {
		for name, raw := range params {
			if _, known := v.all[name]; !known && len(v.all) >= mostProperties {
				s.limited("properties", t.productKey+"/"+t.deviceName, mostProperties, int64(len(v.all)+1))
				continue
			}
			v.set(name, property(raw, now))
		}
		return true
	}))
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
func (s *Service) Properties(productKey, deviceName string) (all map[string]Property, err error) {
	err = in(s, &s.kept.properties, productKey, deviceName, func(v *latest) bool {
		all = maps.Clone(v.all)
		return false
	})
	return all, err
}

// ErrVersion is returned for desired properties that were not set: a version is not the one that the property
// has, or there are too many properties.
var ErrVersion = errors.New("alink: the version is not that of the desired property, or there are too many properties")

// SetDesired sets desired properties; null, or nothing, in the place of a value takes the desired value away. A version
// of 0 is not checked; another one must be the one that the property has now. It returns the new versions when they
// hold, 0 for a property of which nothing is desired any more. The error is ErrVersion, the registry's, or one that
// IsTooLarge is true of; then no property was set.
//
// Then a device that listens is asked to set the properties, as by SetProperties; id is that of the request. A device
// that could not be asked, because it is away or is sent too much, has an empty id and no error: what is desired stays
// until it asks for it.
func (s *Service) SetDesired(productKey, deviceName string, items map[string]json.RawMessage, versions map[string]int64) (now map[string]int64, id string, err error) {
	set := make(map[string]json.RawMessage)
	for name, value := range items {
		if envelope.TooDeep(value) {
			return nil, "", errTooDeep
		}
		if text := bytes.TrimSpace(value); len(text) > 0 && string(text) != "null" {
			set[name] = slices.Clone(value)
		}
	}
	now = make(map[string]int64)
	refused := false
	err = in(s, &s.kept.desired, productKey, deviceName, func(all *map[string]Desired) bool {
		n := len(*all)
		for name := range items {
			_, known := (*all)[name]
			_, more := set[name]
			switch {
			case more && !known:
				n++
			case known && !more:
				n--
			}
			v := versions[name]
			refused = refused || v != 0 && v != (*all)[name].Version
		}
		if refused = refused || n > max(mostProperties, len(*all)); refused {
			return false
		}
		if *all == nil {
			*all = make(map[string]Desired)
		}
		for name := range items {
			if value, more := set[name]; more {
				(*all)[name] = Desired{value, (*all)[name].Version + 1}
			} else {
				delete(*all, name)
			}
			now[name] = (*all)[name].Version
		}
		return true
	})
	if err == nil && refused {
		err = ErrVersion
	}
	if err == nil {
		err = s.kept.ledger.Wait()
	}
	if err != nil || len(set) == 0 {
		return now, "", err
	}
	return now, s.askDesired(productKey, deviceName, set), nil
}

// askDesired asks a device to set the named properties to what is desired of them by now. It returns the id of the
// request, or nothing if there is none: what refuses it counts that, and the device can ask for what is desired.
func (s *Service) askDesired(productKey, deviceName string, names map[string]json.RawMessage) (id string) {
	d, err := s.opts.Registry.Device(productKey, deviceName)
	if err != nil || s.toDevice(&d) != nil {
		return ""
	}
	s.asking.Lock()
	defer s.asking.Unlock()
	all, err := s.Desired(productKey, deviceName)
	if err != nil {
		return ""
	}
	set := make(map[string]json.RawMessage)
	for name := range names {
		if now, more := all[name]; more {
			set[name] = now.Value
		}
	}
	if len(set) == 0 {
		return "" // nothing of it is desired any more
	}
	params, err := envelope.Marshal(set)
	if err == nil {
		id, err = s.request(productKey, deviceName, setProperties, params, nil) // accounted already
	}
	if err != nil {
		return ""
	}
	return id
}

// Desired returns the desired properties of a device.
func (s *Service) Desired(productKey, deviceName string) (all map[string]Desired, err error) {
	err = in(s, &s.kept.desired, productKey, deviceName, func(v *map[string]Desired) bool {
		all = maps.Clone(*v)
		return false
	})
	return all, err
}

// getDesired answers with the desired properties that are asked for, or with all.
func (s *Service) getDesired(t topic, r envelope.Request) (envelope.Code, string, any) {
	var names []string
	if len(r.Params) > 0 && json.Unmarshal(r.Params, &names) != nil && string(r.Params) != "{}" {
		return envelope.ParamError, "params is not a list of properties", nil
	}
	all, err := s.Desired(t.productKey, t.deviceName)
	if code, message := s.codeOf(err); code != envelope.OK {
		return code, message, nil
	}
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
	code, message := s.codeOf(in(s, &s.kept.desired, t.productKey, t.deviceName, func(all *map[string]Desired) bool {
		before := len(*all)
		if len(named) == 0 {
			clear(*all)
		}
		for name, want := range named {
			if want == nil || want.Version == nil || *want.Version == (*all)[name].Version {
				delete(*all, name)
			}
		}
		return len(*all) != before
	}))
	return code, message, nil
}
