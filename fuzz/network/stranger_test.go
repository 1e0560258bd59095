package network

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"sampan/fuzz/model"
	"sampan/packet"
)

// Who looks at something that is no broker, or at one that refuses everybody, is told what it did.
func TestWhatIsNoBrokerIsSaidToBeNone(t *testing.T) {
	for name, c := range map[string]struct {
		says string // to CONNECT, before it closes
		want string
	}{
		"it closes":                    {"", "does not answer CONNECT as an MQTT broker does: it closed the connection"},
		"it speaks HTTP":               {"HTTP/1.1 400 Bad Request\r\n", `does not answer CONNECT as an MQTT broker does: it sent "HTTP/1.1 400 Bad Request\r\n"`},
		"it sends another packet":      {"\xd0\x00", "does not answer CONNECT as an MQTT broker does: it sent PINGRESP"},
		"its CONNACK is none":          {"\x20\x02\x00\x09", "does not answer CONNECT as an MQTT broker does: it sent 20 02 00 09: "},
		"it is unavailable":            {"\x20\x02\x00\x03", "refuses CONNECT with return code 3"},
		"it asks for more credentials": {"\x20\x02\x00\x05", "refuses CONNECT with return code 5: it asks for another user name and password"},
	} {
		t.Run(name, func(t *testing.T) {
			dial := func(context.Context) (net.Conn, error) {
				near, far := net.Pipe()
				go func() { // ends when it has said what it says, or the test closes the other end
					defer far.Close()
					if _, err := far.Read(make([]byte, 4096)); err == nil {
						io.WriteString(far, c.says)
					}
				}()
				return near, nil
			}
			refused(t, dial, 5*time.Second, c.want)
		})
	}
	t.Run("it says nothing", func(t *testing.T) {
		dial := func(context.Context) (net.Conn, error) {
			near, far := net.Pipe()
			t.Cleanup(func() { far.Close() })
			go io.Copy(io.Discard, far) // ends with the test
			return near, nil
		}
		refused(t, dial, 10*time.Millisecond, "does not answer CONNECT as an MQTT broker does: it sent nothing for 10ms")
	})
	t.Run("there is nothing", func(t *testing.T) {
		dial := func(context.Context) (net.Conn, error) { return nil, errors.New("no such host") }
		refused(t, dial, time.Second, "cannot be reached: no such host")
	})
	t.Run("it does not answer SUBSCRIBE", func(t *testing.T) {
		b := &modelBroker{rules: model.Standard(), spoil: func(_ int, raw []byte) [][]byte {
			if typeOf(raw) == packet.TypeSuback {
				return [][]byte{packet.AppendPingresp(nil)}
			}
			return [][]byte{raw}
		}}
		refused(t, b.start(t), 5*time.Second, "does not answer SUBSCRIBE: want SUBACK, got PINGRESP")
	})
}

// refused carries out a campaign that must come to nothing, for this reason.
func refused(t *testing.T, dial Dialer, patience time.Duration, want string) {
	t.Helper()
	c := &Campaign{Dial: dial, Rules: model.Standard(), Patience: patience, Duration: time.Minute, Scripts: 1, Seed: 1}
	_, err := c.Run(t.Context())
	h, ok := errors.AsType[*Health](err)
	if !ok || h.What != "refused" || !strings.HasPrefix(h.Err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}
