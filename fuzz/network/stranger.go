package network

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"sampan/packet"
)

// What a broker is that no canary can connect to is said in sentences whose subject is the broker: who has called
// knows its address.

// stranger is a broker that does something else than to answer CONNECT.
type stranger struct {
	did string
	err error // which has shown it
}

func (s *stranger) Error() string {
	return "does not answer CONNECT as an MQTT broker does: " + s.did
}

func (s *stranger) Unwrap() error { return s.err }

// quoted is how much is shown of what no MQTT broker sends: enough to see who sends it.
const quoted = 48

// strange says what a broker did when until waited for its CONNACK and failed: f and err are what that has returned.
func (c *canary) strange(f packet.Frame, err error, patience time.Duration) error {
	s := &stranger{err: err}
	switch {
	case len(f.Raw) > 0:
		s.did = "it sent " + f.Type().String()
	case len(c.buf) > 0:
		s.did = fmt.Sprintf("it sent %q", c.buf[:min(quoted, len(c.buf))])
	case isTimeout(err):
		s.did = fmt.Sprintf("it sent nothing for %v", patience)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		s.did = "it closed the connection"
	default:
		s.did = err.Error()
	}
	return s
}

// refusal says with what code a broker refuses a canary. nil: it does not.
func refusal(f packet.Frame) error {
	var ack packet.Connack
	if err := ack.Decode(f, nil); err != nil {
		return &stranger{did: fmt.Sprintf("it sent % x: %v", f.Raw, err), err: err}
	}
	switch ack.Code {
	case packet.Accepted:
		return nil
	case packet.RefusedCredentials, packet.RefusedNotAuthorized:
		return fmt.Errorf("refuses CONNECT with return code %d: it asks for another user name and password", ack.Code)
	}
	return fmt.Errorf("refuses CONNECT with return code %d", ack.Code)
}
