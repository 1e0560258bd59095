package alink

import (
	"encoding/json"
	"strings"
	"time"

	"sampan/broker/alink/envelope"
)

// EventKind says what a device has sent.
type EventKind uint8

// What Watch tells of.
const (
	PropertyPost EventKind = iota + 1 // Params: the properties
	EventPost                         // Name: the event; Params: its value
	TagsChanged
	VersionReport   // Params: {"version","module"}
	UpgradeProgress // Params: {"step","desc","module"}
	RawUp           // Raw: the bytes
	Post            // something else that was accepted; Method and Params
)

// Event is what a device has sent, told to a server within the process. It is valid during the call.
type Event struct {
	ProductKey, DeviceName string
	Kind                   EventKind
	Name                   string
	Method                 string
	Params                 json.RawMessage
	Raw                    []byte
	Time                   time.Time
}

// Watch calls f for each accepted post of a device, on the goroutine of its connection: f must not wait. The
// returned function ends it.
func (s *Service) Watch(f func(Event)) (cancel func()) {
	w := &s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = make(map[int]func(Event))
	}
	id := w.next
	w.next++
	w.all[id] = f
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, id)
	}
}

func (s *Service) watchers(e Event) {
	s.watch.mu.RLock()
	defer s.watch.mu.RUnlock()
	if len(s.watch.all) == 0 {
		return
	}
	e.Time = s.opts.Now()
	s.stats.Events.Add(1)
	for _, f := range s.watch.all {
		f(e)
	}
}

// eventOf returns the event in a path event/{id}/post.
func eventOf(path string) (id string, ok bool) {
	rest, ok := strings.CutPrefix(path, "event/")
	if !ok {
		return "", false
	}
	id, ok = strings.CutSuffix(rest, "/post")
	return id, ok && id != "" && !strings.Contains(id, "/")
}

// postEvent takes an event: {"value":{...},"time":ms}, or the value itself.
func (s *Service) postEvent(t topic, r envelope.Request, id string) (envelope.Code, string, any) {
	var params map[string]json.RawMessage
	if len(r.Params) == 0 || json.Unmarshal(r.Params, &params) != nil {
		return envelope.ParamError, "params is not an object", nil
	}
	s.watchers(Event{ProductKey: t.productKey, DeviceName: t.deviceName, Kind: EventPost, Name: id, Method: r.Method, Params: r.Params})
	return envelope.OK, "", nil
}
