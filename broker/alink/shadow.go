package alink

import (
	"encoding/json"
	"strconv"

	"sampan/broker/alink/envelope"
)

// document is a device's shadow: what it reports itself to be, and what others want it to be.
type document struct {
	Reported map[string]any
	Desired  map[string]any
	Version  int64
	Changed  int64 // seconds since 1970
}

// shadowRequest is what a device publishes on /shadow/update/{pk}/{dn}.
type shadowRequest struct {
	Method string `json:"method"`
	State  struct {
		Reported json.RawMessage `json:"reported"`
		Desired  json.RawMessage `json:"desired"`
	} `json:"state"`
	Version *int64 `json:"version"`
}

// shadowError is a refusal in the shadow's own codes.
type shadowError struct {
	code    int
	message string
}

// shadow answers an update, get or delete on /shadow/get/{pk}/{dn}.
func (s *Service) shadow(t topic, payload []byte) {
	var (
		q    shadowRequest
		fail *shadowError
		doc  document
	)
	switch {
	case len(payload) > s.opts.MaxShadow:
		fail = &shadowError{404, "the document is larger than " + strconv.Itoa(s.opts.MaxShadow) + " bytes"}
	case json.Unmarshal(payload, &q) != nil:
		fail = &shadowError{400, "incorrect JSON format"}
	case q.Method == "":
		fail = &shadowError{401, "method is missing"}
	}
	if fail == nil {
		s.states.with(t.productKey, t.deviceName, func(d *state) {
			switch q.Method {
			case "get":
			case "update":
				fail = s.updateShadow(&d.shadow, &q)
			case "delete":
				fail = s.deleteShadow(&d.shadow, &q)
			default:
				fail = &shadowError{406, "method is not update, get or delete"}
			}
			doc = d.shadow.clone()
		})
	}
	now := s.opts.Now().Unix()
	type member = map[string]any
	content := member{"status": "success", "version": doc.Version}
	switch {
	case fail != nil:
		s.refused("/shadow/update/"+t.productKey+"/"+t.deviceName, envelope.Code(fail.code), fail.message)
		content = member{"status": "error", "content": member{"errorcode": strconv.Itoa(fail.code), "errormessage": fail.message}}
	case q.Method == "get":
		content = member{"status": "success", "state": doc.state(), "metadata": doc.metadata()}
	}
	answer := member{"method": "reply", "payload": content, "timestamp": now}
	if q.Method == "get" && fail == nil {
		answer["version"] = doc.Version
	}
	b, err := envelope.Marshal(answer)
	if err == nil {
		s.send("/shadow/get/"+t.productKey+"/"+t.deviceName, b)
	}
}

// bump checks the version of a change and takes it over: it must be greater than the one stored; -1 begins
// again at 0.
func (d *document) bump(v *int64, now int64) *shadowError {
	switch {
	case v == nil:
		return &shadowError{403, "version is missing"}
	case *v == -1:
		*d = document{}
	case *v <= d.Version:
		return &shadowError{409, "the version is not greater than " + strconv.FormatInt(d.Version, 10)}
	default:
		d.Version = *v
	}
	d.Changed = now
	return nil
}

func (s *Service) updateShadow(d *document, q *shadowRequest) *shadowError {
	next := d.clone()
	if fail := next.bump(q.Version, s.opts.Now().Unix()); fail != nil {
		return fail
	}
	if len(q.State.Reported) == 0 && len(q.State.Desired) == 0 {
		return &shadowError{402, "state is missing"}
	}
	if fail := merge(&next.Reported, q.State.Reported); fail != nil {
		return fail
	}
	// A device sends desired as the text "null" when it has done what was wanted.
	if fail := merge(&next.Desired, q.State.Desired); fail != nil {
		return fail
	}
	if fail := s.checkShadow(&next); fail != nil {
		return fail
	}
	*d = next
	return nil
}

func (s *Service) deleteShadow(d *document, q *shadowRequest) *shadowError {
	next := d.clone()
	if fail := next.bump(q.Version, s.opts.Now().Unix()); fail != nil {
		return fail
	}
	for _, part := range []struct {
		from *map[string]any
		what json.RawMessage
	}{{&next.Reported, q.State.Reported}, {&next.Desired, q.State.Desired}} {
		if isNull(part.what) {
			*part.from = nil
			continue
		}
		var named map[string]any
		if len(part.what) > 0 && json.Unmarshal(part.what, &named) != nil {
			return &shadowError{405, "state is not an object"}
		}
		for name := range named {
			delete(*part.from, name)
		}
	}
	*d = next
	return nil
}

// isNull reports whether a part of the state is null, or the text "null".
func isNull(raw json.RawMessage) bool { return string(raw) == "null" || string(raw) == `"null"` }

// merge puts the named values over those that are there. null empties the part, and a value of null removes
// the name.
func merge(to *map[string]any, raw json.RawMessage) *shadowError {
	if len(raw) == 0 {
		return nil
	}
	if isNull(raw) {
		*to = nil
		return nil
	}
	var values map[string]any
	if json.Unmarshal(raw, &values) != nil {
		return &shadowError{405, "state is not an object"}
	}
	if *to == nil {
		*to = make(map[string]any)
	}
	for name, v := range values {
		if v == nil {
			delete(*to, name)
		} else {
			(*to)[name] = v
		}
	}
	return nil
}

// checkShadow holds a document to the limits.
func (s *Service) checkShadow(d *document) *shadowError {
	attrs := 0
	depth := max(measure(d.Reported, 1, &attrs), measure(d.Desired, 1, &attrs))
	switch {
	case depth > s.opts.MaxShadowDepth:
		return &shadowError{407, "the document is deeper than " + strconv.Itoa(s.opts.MaxShadowDepth) + " levels"}
	case attrs > s.opts.MaxShadowAttrs:
		return &shadowError{408, "the document has more than " + strconv.Itoa(s.opts.MaxShadowAttrs) + " attributes"}
	}
	if b, err := envelope.Marshal(d); err != nil || len(b) > s.opts.MaxShadow {
		return &shadowError{404, "the document is larger than " + strconv.Itoa(s.opts.MaxShadow) + " bytes"}
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

// clone copies the maps; the values in them are never changed.
func (d *document) clone() document {
	c := *d
	for _, m := range []*map[string]any{&c.Reported, &c.Desired} {
		if *m != nil {
			n := make(map[string]any, len(*m))
			for k, v := range *m {
				n[k] = v
			}
			*m = n
		}
	}
	return c
}

func (d *document) state() map[string]any {
	state := map[string]any{"reported": orObject(d.Reported)}
	if len(d.Desired) > 0 {
		state["desired"] = d.Desired
	}
	return state
}

// metadata says when each attribute was changed last; the document's own time stands for all of them.
func (d *document) metadata() map[string]any {
	stamp := func(m map[string]any) map[string]any {
		out := make(map[string]any, len(m))
		for name := range m {
			out[name] = map[string]int64{"timestamp": d.Changed}
		}
		return out
	}
	meta := map[string]any{"reported": stamp(d.Reported)}
	if len(d.Desired) > 0 {
		meta["desired"] = stamp(d.Desired)
	}
	return meta
}

func orObject(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// Shadow returns a device's shadow as JSON, in the form in which a device gets it.
func (s *Service) Shadow(productKey, deviceName string) []byte {
	var doc document
	s.states.with(productKey, deviceName, func(d *state) { doc = d.shadow.clone() })
	b, _ := envelope.Marshal(map[string]any{
		"method": "reply", "version": doc.Version, "timestamp": s.opts.Now().Unix(),
		"payload": map[string]any{"status": "success", "state": doc.state(), "metadata": doc.metadata()},
	})
	return b
}

// UpdateShadow changes the desired part of a shadow and tells the device. message is what UpdateDeviceShadow
// is given: {"method":"update","state":{"desired":{...}},"version":n}.
func (s *Service) UpdateShadow(productKey, deviceName string, message []byte) error {
	var q shadowRequest
	if len(message) > s.opts.MaxShadow || json.Unmarshal(message, &q) != nil || q.Method != "update" {
		return &ShadowError{400, "the message is not a shadow update in JSON"}
	}
	var doc document
	var fail *shadowError
	s.states.with(productKey, deviceName, func(d *state) {
		fail = s.updateShadow(&d.shadow, &q)
		doc = d.shadow.clone()
	})
	if fail != nil {
		return &ShadowError{fail.code, fail.message}
	}
	b, err := envelope.Marshal(map[string]any{
		"method": "control", "version": doc.Version, "timestamp": s.opts.Now().Unix(),
		"payload": map[string]any{"status": "success", "state": doc.state(), "metadata": doc.metadata()},
	})
	if err != nil {
		return err
	}
	s.send("/shadow/get/"+productKey+"/"+deviceName, b)
	return nil
}

// ShadowError is why a shadow was not changed, in the shadow's codes (400 to 409).
type ShadowError struct {
	Code    int
	Message string
}

func (e *ShadowError) Error() string {
	return "alink: shadow: " + strconv.Itoa(e.Code) + ": " + e.Message
}
