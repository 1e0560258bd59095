package openapi_test

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"sampan/internal/ceiling"
)

// FuzzParameters: whatever the parameters of a call that is signed correctly are, the answer is one that a
// client of the API can read, and never that the broker is at fault. Parameters are written as in an URL.
func FuzzParameters(f *testing.F) {
	f.Fuzz(func(t *testing.T, parameters string) {
		defer ceiling.Bytes(2*ceiling.Lots + 64*len(parameters)).Hold(t)()
		p, _ := url.ParseQuery(parameters) // what can be read of it
		s := start(t)
		request := httptest.NewRequest("GET", "/?"+s.signed1("GET", p).Encode(), nil)
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, request)
		body := w.Body.Bytes()
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("status %d: %s", w.Code, body)
		}
		if strings.Contains(w.Header().Get("Content-Type"), "xml") {
			var answer struct {
				XMLName   xml.Name
				RequestID string `xml:"RequestId"`
			}
			if err := xml.Unmarshal(body, &answer); err != nil || answer.RequestID == "" {
				t.Errorf("%v in the answer %q", err, body)
			}
			return
		}
		var a answer
		if err := json.Unmarshal(body, &a); err != nil || a.RequestID == "" {
			t.Errorf("%v in the answer %q", err, body)
		}
	})
}
