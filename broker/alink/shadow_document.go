package alink

import (
	"bytes"
	"encoding/json"
	"maps"
	"strconv"

	"sampan/broker/alink/envelope"
)

// document is a device's shadow: what it reports itself to be, and what others want it to be.
type document struct {
	reported, desired part
	version           int64
	changed           int64 // seconds since 1970
}

// part is one half of a shadow: its attributes, and when each of them was written last. The nested members of
// an attribute have its time. (platform: the JSON of device shadows)
type part struct {
	values map[string]any
	times  map[string]int64 // seconds since 1970
}

// storedDocument is how a shadow is kept.
type storedDocument struct {
	Reported      map[string]any   `json:"reported,omitempty"`
	Desired       map[string]any   `json:"desired,omitempty"`
	ReportedTimes map[string]int64 `json:"reportedTimes,omitempty"`
	DesiredTimes  map[string]int64 `json:"desiredTimes,omitempty"`
	Version       int64            `json:"version,omitempty"`
	Changed       int64            `json:"changed,omitempty"`
}

// MarshalJSON writes the document as it is kept.
func (d document) MarshalJSON() ([]byte, error) {
	return envelope.Marshal(storedDocument{d.reported.values, d.desired.values, d.reported.times, d.desired.times, d.version, d.changed})
}

// UnmarshalJSON reads what MarshalJSON wrote, and leaves numbers as they are written. Attributes without a time,
// which were kept before there was one for each, have the document's.
func (d *document) UnmarshalJSON(b []byte) error {
	var s storedDocument
	if err := decode(b, &s); err != nil {
		return err
	}
	*d = document{part{s.Reported, s.ReportedTimes}, part{s.Desired, s.DesiredTimes}, s.Version, s.Changed}
	for _, p := range []*part{&d.reported, &d.desired} {
		for name := range p.values {
			if _, there := p.times[name]; !there {
				p.set(name, p.values[name], d.changed)
			}
		}
	}
	return nil
}

// decode reads JSON and leaves numbers in it as they are written: a device's 64-bit number is no float64.
func decode(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(v)
}

// bump checks the version of a change and takes it over: it must be greater than the one stored; -1 lets it
// begin again at 0, and the attributes stay. now is when the change is made, in seconds since 1970.
func (d *document) bump(v *int64, now int64) *shadowError {
	switch {
	case v == nil:
		return &shadowError{403, "version is missing"}
	case *v == -1:
		d.version = 0
	case *v <= d.version:
		return &shadowError{409, "the version is not greater than " + strconv.FormatInt(d.version, 10)}
	default:
		d.version = *v
	}
	d.changed = now
	return nil
}

// clone copies the maps; the values in them are never changed.
func (d *document) clone() document {
	c := *d
	for _, p := range []*part{&c.reported, &c.desired} {
		p.values, p.times = maps.Clone(p.values), maps.Clone(p.times)
	}
	return c
}

// state is what devices and servers get of the document. Without anything desired there is no such part.
func (d *document) state() map[string]any {
	state := map[string]any{"reported": map[string]any{}}
	if d.reported.values != nil {
		state["reported"] = d.reported.values
	}
	if len(d.desired.values) > 0 {
		state["desired"] = d.desired.values
	}
	return state
}

// metadata says when each attribute was written last, in seconds since 1970.
func (d *document) metadata() map[string]any {
	meta := map[string]any{"reported": d.reported.stamps()}
	if len(d.desired.values) > 0 {
		meta["desired"] = d.desired.stamps()
	}
	return meta
}

type stamp struct {
	Timestamp int64 `json:"timestamp"`
}

func (p *part) stamps() map[string]stamp {
	out := make(map[string]stamp, len(p.times))
	for name, at := range p.times {
		out[name] = stamp{at}
	}
	return out
}

// set writes an attribute at a time.
func (p *part) set(name string, value any, at int64) {
	if p.values == nil {
		p.values = make(map[string]any)
	}
	if p.times == nil {
		p.times = make(map[string]int64)
	}
	p.values[name], p.times[name] = value, at
}

func (p *part) delete(name string) {
	delete(p.values, name)
	delete(p.times, name)
}

// isNull reports whether a part of the state is null, or the text "null".
func isNull(raw json.RawMessage) bool { return string(raw) == "null" || string(raw) == `"null"` }

// merge puts the named values over those that are there, written now. null empties the part, and a value of
// null removes the name.
func (p *part) merge(raw json.RawMessage, now int64) *shadowError {
	if len(raw) == 0 {
		return nil
	}
	if isNull(raw) {
		*p = part{}
		return nil
	}
	var values map[string]any
	if decode(raw, &values) != nil {
		return &shadowError{405, "state is not an object"}
	}
	for name, v := range values {
		if v == nil {
			p.delete(name)
		} else {
			p.set(name, v, now)
		}
	}
	return nil
}

// remove takes the named attributes away, whatever their values; null takes all.
func (p *part) remove(raw json.RawMessage) *shadowError {
	if isNull(raw) {
		*p = part{}
		return nil
	}
	var named map[string]json.RawMessage
	if len(raw) > 0 && json.Unmarshal(raw, &named) != nil {
		return &shadowError{405, "state is not an object"}
	}
	for name := range named {
		p.delete(name)
	}
	return nil
}

// measure returns how deep a value is, and counts its attributes.
func measure(v any, depth int, attrs *int) int {
	deepest := depth
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			*attrs++
			deepest = max(deepest, measure(e, depth+1, attrs))
		}
	case []any:
		for _, e := range v {
			deepest = max(deepest, measure(e, depth+1, attrs))
		}
	default:
		return depth - 1
	}
	return deepest
}
