package alink

import (
	"encoding/json"
	"strconv"

	"sampan/broker/alink/envelope"
	"sampan/broker/device"
	"sampan/broker/quota"
)

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
	limited, rate := s.shadowRate(t)
	switch {
	case limited:
		fail = &shadowError{int(envelope.TooMany), rate}
	case over(len(payload), int(s.limits.Shadow)):
		fail = s.shadowTooLarge(t, len(payload))
	case json.Unmarshal(payload, &q) != nil:
		fail = &shadowError{400, "incorrect JSON format"}
	case q.Method == "":
		fail = &shadowError{401, "method is missing"}
	}
	if fail == nil {
		err := in(s, &s.kept.shadows, t.productKey, t.deviceName, func(d *document) (changed bool) {
			switch q.Method {
			case "get":
			case "update":
				fail = s.updateShadow(t, d, &q)
				changed = fail == nil
			case "delete":
				fail = s.deleteShadow(d, &q)
				changed = fail == nil
			default:
				fail = &shadowError{406, "method is not update, get or delete"}
			}
			doc = d.clone()
			return changed
		})
		if code, message := s.codeOf(err); code != envelope.OK {
			fail = &shadowError{500, message}
		}
	}
	now := s.opts.Now().Unix()
	type member = map[string]any
	content := member{"status": "success", "version": doc.version}
	switch {
	case fail != nil:
		s.refused("/shadow/update/"+t.productKey+"/"+t.deviceName, envelope.Code(fail.code), fail.message)
		content = member{"status": "error", "content": member{"errorcode": strconv.Itoa(fail.code), "errormessage": fail.message}}
	case q.Method == "get":
		content = member{"status": "success", "state": doc.state(), "metadata": doc.metadata()}
	}
	answer := member{"method": "reply", "payload": content, "timestamp": now}
	if q.Method == "get" && fail == nil {
		answer["version"] = doc.version
	}
	b, err := envelope.Marshal(answer)
	if err == nil {
		s.kept.ledger.Sync(func(err error) {
			// What does not hold is not confirmed.
			if code, _ := s.codeOf(err); code == envelope.OK {
				s.send("/shadow/get/"+t.productKey+"/"+t.deviceName, b)
			}
		})
	}
}

// shadowRate reports whether a device asks for its shadow too often, and says how often that is.
func (s *Service) shadowRate(t topic) (limited bool, message string) {
	d, err := s.opts.Registry.Device(t.productKey, t.deviceName)
	if err != nil {
		return false, ""
	}
	word := d.Word(device.ForShadow)
	if s.shadowLimiter.AllowShared(word, s.opts.Now().UnixNano(), 1) {
		return false, ""
	}
	s.limited(quota.ShadowRequests.String(), t.productKey+"/"+t.deviceName, int64(s.limits.Rate(quota.ShadowRequests).Limit), int64(s.shadowLimiter.Current(word.Load())))
	return true, s.shadowLimiter.Explain(word.Load())
}

func (s *Service) shadowTooLarge(t topic, size int) *shadowError {
	s.limited("shadow", t.productKey+"/"+t.deviceName, int64(s.limits.Shadow), int64(size))
	return &shadowError{404, "the document is larger than " + strconv.Itoa(int(s.limits.Shadow)) + " bytes"}
}

func (s *Service) updateShadow(t topic, d *document, q *shadowRequest) *shadowError {
	next := d.clone()
	if fail := next.bump(q.Version, s.opts.Now().Unix()); fail != nil {
		return fail
	}
	if len(q.State.Reported) == 0 && len(q.State.Desired) == 0 {
		return &shadowError{402, "state is missing"}
	}
	if fail := next.reported.merge(q.State.Reported, next.changed); fail != nil {
		return fail
	}
	// A device sends desired as the text "null" when it has done what was wanted.
	if fail := next.desired.merge(q.State.Desired, next.changed); fail != nil {
		return fail
	}
	if fail := s.checkShadow(t, &next); fail != nil {
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
	if fail := next.reported.remove(q.State.Reported); fail != nil {
		return fail
	}
	if fail := next.desired.remove(q.State.Desired); fail != nil {
		return fail
	}
	*d = next
	return nil
}

// checkShadow holds a document to the limits.
func (s *Service) checkShadow(t topic, d *document) *shadowError {
	attrs := 0
	depth := max(measure(d.reported.values, 1, &attrs), measure(d.desired.values, 1, &attrs))
	name := t.productKey + "/" + t.deviceName
	switch {
	case over(depth, s.limits.ShadowDepth):
		s.limited("shadow-depth", name, int64(s.limits.ShadowDepth), int64(depth))
		return &shadowError{407, "the document is deeper than " + strconv.Itoa(s.limits.ShadowDepth) + " levels"}
	case over(attrs, s.limits.ShadowAttributes):
		s.limited("shadow-attributes", name, int64(s.limits.ShadowAttributes), int64(attrs))
		return &shadowError{408, "the document has more than " + strconv.Itoa(s.limits.ShadowAttributes) + " attributes"}
	}
	b, err := envelope.Marshal(d.state())
	if err != nil {
		return &shadowError{400, "incorrect JSON format"}
	}
	if over(len(b), int(s.limits.Shadow)) {
		return s.shadowTooLarge(t, len(b))
	}
	return nil
}

// Shadow returns a device's shadow as JSON, in the form in which a device gets it.
func (s *Service) Shadow(productKey, deviceName string) ([]byte, error) {
	var doc document
	err := in(s, &s.kept.shadows, productKey, deviceName, func(d *document) bool {
		doc = d.clone()
		return false
	})
	if err != nil {
		return nil, err
	}
	return s.shadowMessage("reply", &doc)
}

func (s *Service) shadowMessage(method string, doc *document) ([]byte, error) {
	return envelope.Marshal(map[string]any{
		"method": method, "version": doc.version, "timestamp": s.opts.Now().Unix(),
		"payload": map[string]any{"status": "success", "state": doc.state(), "metadata": doc.metadata()},
	})
}

// UpdateShadow changes the desired part of a shadow and, when that holds, tells the device. message is what
// UpdateDeviceShadow is given: {"method":"update","state":{"desired":{...}},"version":n}.
func (s *Service) UpdateShadow(productKey, deviceName string, message []byte) error {
	t := topic{productKey: productKey, deviceName: deviceName, service: shadow}
	if limited, message := s.shadowRate(t); limited {
		return &ShadowError{int(envelope.TooMany), message}
	}
	var q shadowRequest
	if over(len(message), int(s.limits.Shadow)) {
		fail := s.shadowTooLarge(t, len(message))
		return &ShadowError{fail.code, fail.message}
	}
	if json.Unmarshal(message, &q) != nil || q.Method != "update" {
		return &ShadowError{400, "the message is not a shadow update in JSON"}
	}
	var doc document
	var fail *shadowError
	err := in(s, &s.kept.shadows, productKey, deviceName, func(d *document) bool {
		fail = s.updateShadow(t, d, &q)
		doc = d.clone()
		return fail == nil
	})
	if err == nil && fail != nil {
		return &ShadowError{fail.code, fail.message}
	}
	if err == nil {
		err = s.kept.ledger.Wait()
	}
	if err != nil {
		return err
	}
	b, err := s.shadowMessage("control", &doc)
	if err == nil {
		s.send("/shadow/get/"+productKey+"/"+deviceName, b)
	}
	return err
}

// ShadowError is why a shadow was not changed, in the shadow's codes (400 to 409), or 429 if that was asked
// for too often.
type ShadowError struct {
	Code    int
	Message string
}

func (e *ShadowError) Error() string {
	return "alink: shadow: " + strconv.Itoa(e.Code) + ": " + e.Message
}
