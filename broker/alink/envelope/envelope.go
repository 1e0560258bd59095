// Package envelope is the Alink envelope: how a request and its answer are written as JSON, and the result
// codes in it.
package envelope

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// Request is a request in its envelope.
type Request struct {
	ID      string // as it was sent; the answer repeats it to the letter
	Version string
	Method  string
	Params  json.RawMessage // nil if there are none
	NoReply bool            // sys.ack is 0: the device wants no answer
}

// Parse reads an envelope. An id may be a number; a method may be missing. The code is NotJSON, or ParamError
// for an envelope that is none and for params that are TooDeep. Of an envelope that cannot be read the id is
// returned if at all possible, so that the device can match the refusal.
func Parse(payload []byte) (r Request, code Code) {
	var e struct {
		ID      json.RawMessage `json:"id"`
		Version string          `json:"version"`
		Method  string          `json:"method"`
		Params  json.RawMessage `json:"params"`
		Sys     struct {
			Ack *int `json:"ack"`
		} `json:"sys"`
	}
	err := json.Unmarshal(payload, &e)
	r = Request{Version: e.Version, Method: e.Method, Params: e.Params, NoReply: e.Sys.Ack != nil && *e.Sys.Ack == 0}
	if len(e.ID) > 0 && e.ID[0] == '"' {
		json.Unmarshal(e.ID, &r.ID)
	} else if !bytes.Equal(e.ID, []byte("null")) {
		r.ID = string(e.ID)
	}
	if err != nil {
		if json.Valid(payload) {
			return r, ParamError
		}
		return r, NotJSON
	}
	if bytes.Equal(r.Params, []byte("null")) {
		r.Params = nil
	}
	// The C SDK 4 sends empty parameters as the text of an object.
	if len(r.Params) > 0 && r.Params[0] == '"' {
		var text string
		if json.Unmarshal(r.Params, &text) == nil && json.Valid([]byte(text)) {
			r.Params = json.RawMessage(text)
		}
	}
	if TooDeep(r.Params) {
		return r, ParamError
	}
	return r, OK
}

// Reply is an answer in its envelope. A message of "" is the code's own. data is any value that marshals, or nil for an empty object.
func Reply(r Request, code Code, message string, data any) []byte {
	if data == nil {
		data = struct{}{}
	}
	if message == "" {
		message = code.String()
	}
	b, err := Marshal(struct {
		ID      string `json:"id"`
		Code    Code   `json:"code"`
		Data    any    `json:"data"`
		Message string `json:"message"`
		Method  string `json:"method,omitempty"`
		Version string `json:"version"`
	}{r.ID, code, data, message, r.Method, orVersion(r.Version)})
	if err != nil {
		return Reply(r, SystemError, "", nil)
	}
	return b
}

func orVersion(v string) string {
	if v == "" {
		return "1.0"
	}
	return v
}

// Ask is a request to a device.
func Ask(id uint64, method string, params any) ([]byte, error) {
	return Marshal(struct {
		ID      string `json:"id"`
		Version string `json:"version"`
		Params  any    `json:"params"`
		Method  string `json:"method"`
	}{strconv.FormatUint(id, 10), "1.0", params, method})
}

// Marshal writes JSON as devices need it: without white space, because the C SDK 4 keeps the blank behind a
// colon, and with &, < and > as they are, because it does not know that \u0026 in a URL is an &.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// MethodOf is the method that belongs to the part of a topic behind /thing/.
func MethodOf(path string) string { return "thing." + strings.ReplaceAll(path, "/", ".") }
