package openapi_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"sampan/broker/openapi"
)

// timed is a ResponseWriter whose time is up unless it is given more.
type timed struct {
	*httptest.ResponseRecorder
	more bool
}

func (w *timed) SetWriteDeadline(t time.Time) error {
	w.more = w.more || time.Until(t) > 0
	return nil
}

// An answer that a device was waited for, longer than the HTTP server gives a request, is written all the same.
func TestAnAnswerHasTimeOfItsOwn(t *testing.T) {
	w := &timed{ResponseRecorder: httptest.NewRecorder()}
	openapi.NewServer(openapi.Options{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if !w.more {
		t.Error("it is to be written by when the request was to be done")
	}
}
