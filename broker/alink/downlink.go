package alink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"sampan/broker/alink/envelope"
	"sampan/broker/device"
)

// SetProperties asks a device to set properties (thing.service.property.set). It returns the id of the
// request; the device's answer is told to AnswerWatch and not waited for.
func (s *Service) SetProperties(productKey, deviceName string, items json.RawMessage) (id string, err error) {
	return s.ask(productKey, deviceName, setProperties, items)
}

const setProperties = "service/property/set"

// InvokeService asks a device to carry out a service, without waiting for its answer.
func (s *Service) InvokeService(productKey, deviceName, identifier string, args json.RawMessage) (id string, err error) {
	if !validIdentifier(identifier) {
		return "", fmt.Errorf("%w: %q", ErrIdentifier, identifier)
	}
	return s.ask(productKey, deviceName, "service/"+identifier, args)
}

// ErrIdentifier is returned for a service whose name could not be part of a topic.
var ErrIdentifier = errors.New("alink: not the identifier of a service")

// ErrParams is returned for parameters that are not a JSON object.
var ErrParams = errors.New("alink: the parameters are not a JSON object")

// Answer is a device's answer to a request.
type Answer struct {
	ID      string          `json:"id"`
	Code    envelope.Code   `json:"code"`
	Data    json.RawMessage `json:"data"`
	Message string          `json:"message"`
}

// CallService asks a device to carry out a service and waits for its answer: over call, which sends a
// request to the device and returns what comes back (RRPC).
func (s *Service) CallService(ctx context.Context, identifier string, args json.RawMessage, call func(ctx context.Context, request []byte) ([]byte, error)) (Answer, error) {
	if !validIdentifier(identifier) {
		return Answer{}, fmt.Errorf("%w: %q", ErrIdentifier, identifier)
	}
	payload, err := s.envelope("service/"+identifier, args, s.calls.nextID())
	if err != nil {
		return Answer{}, err
	}
	b, err := call(ctx, payload)
	if err != nil {
		return Answer{}, err
	}
	var a Answer
	if json.Unmarshal(b, &a) != nil {
		return Answer{}, ErrAnswer
	}
	return a, nil
}

// ErrAnswer is returned for a device's answer that is not an envelope.
var ErrAnswer = errors.New("alink: the device's answer is not an Alink envelope")

// toDevice accounts a message from a server to a device.
func (s *Service) toDevice(d *device.Device) error {
	if s.opts.Downlink == nil {
		return nil
	}
	return s.opts.Downlink(d)
}

func (s *Service) envelope(path string, params json.RawMessage, id string) ([]byte, error) {
	if len(params) == 0 {
		params = json.RawMessage("{}")
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(params, &object) != nil {
		return nil, ErrParams
	}
	n, _ := strconv.ParseUint(id, 10, 64)
	return envelope.Ask(n, envelope.MethodOf(path), params)
}

// ask sends a request to a device.
func (s *Service) ask(productKey, deviceName, path string, params json.RawMessage) (id string, err error) {
	d, err := s.opts.Registry.Device(productKey, deviceName)
	if err != nil {
		return "", err
	}
	return s.request(productKey, deviceName, path, params, func() error { return s.toDevice(&d) })
}

// request sends a request to a device once it is known to be one and account, if it is not nil, has no objection.
func (s *Service) request(productKey, deviceName, path string, params json.RawMessage, account func() error) (id string, err error) {
	id = s.calls.nextID()
	payload, err := s.envelope(path, params, id)
	if err == nil && account != nil {
		err = account()
	}
	if err != nil {
		return "", err
	}
	return id, s.push("/sys/"+productKey+"/"+deviceName+"/thing/"+path, payload)
}

// push publishes a message that a device is meant to listen to.
func (s *Service) push(topic string, payload []byte) error {
	n, err := s.out.Publish(context.Background(), topic, payload, 0)
	if err == nil && n == 0 {
		err = fmt.Errorf("%w %s", ErrNotSubscribed, topic)
	}
	return err
}

func validIdentifier(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsAny(s, "/+#\x00")
}

// calls numbers the requests to devices and hands on their answers.
type calls struct {
	last atomic.Uint32 // ids are decimal numbers up to 4,294,967,295

	mu    sync.RWMutex
	watch []func(productKey, deviceName, path string, a Answer)
}

func (c *calls) nextID() string {
	for {
		if id := c.last.Add(1); id != 0 {
			return strconv.FormatUint(uint64(id), 10)
		}
	}
}

// answer takes in a device's answer; path is that of the request.
func (c *calls) answer(t topic, path string, payload []byte) {
	c.mu.RLock()
	watch := c.watch
	c.mu.RUnlock()
	var a Answer
	if len(watch) == 0 || json.Unmarshal(payload, &a) != nil {
		return
	}
	for _, f := range watch {
		f(t.productKey, t.deviceName, path, a)
	}
}

// WatchAnswers calls f for each answer of a device to a request that was not waited for, on the goroutine of
// the device's connection. path is that of the request, such as "service/property/set".
func (s *Service) WatchAnswers(f func(productKey, deviceName, path string, a Answer)) {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	s.calls.watch = append(s.calls.watch[:len(s.calls.watch):len(s.calls.watch)], f)
}
