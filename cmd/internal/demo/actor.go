package demo

import (
	"context"
	"fmt"
	"time"

	"sampan/broker/credential"
	"sampan/broker/device"
	"sampan/cmd/internal/client"
	"sampan/cmd/internal/dial"
)

// actor is a device on the stage: a client with what it has received.
type actor struct {
	*client.Client
	fields   credential.Fields
	received chan client.Message
	// answer, if it is set, answers requests on the goroutine that receives them.
	answer func(*client.Client, client.Message) bool
}

// enter connects a device over TCP with a signed CONNECT.
func (s *story) enter(ctx context.Context, d *device.Device, secret string, clean bool) (*actor, error) {
	a := &actor{received: make(chan client.Message, 100)}
	a.fields = credential.Device{ProductKey: s.product, DeviceName: string(d.Name()), DeviceSecret: secret}.Login(credential.Options{
		Method: credential.HMACSHA256, SecureMode: credential.ModeTCP, Timestamp: "2524608000000",
	})
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := dial.Dial(ctx, s.url, dial.Options{})
	if err != nil {
		return nil, err
	}
	connected := make(chan struct{}) // until then Client is not set
	a.Client, err = client.Connect(ctx, client.Options{
		Conn: conn, ClientID: a.fields.ClientID, Username: a.fields.Username, Password: []byte(a.fields.Password),
		Clean: clean, KeepAlive: time.Minute,
		OnMessage: func(m client.Message) bool {
			<-connected
			if a.answer == nil || !a.answer(a.Client, m) {
				a.received <- m
			}
			return true
		},
	})
	close(connected)
	return a, err
}

// next waits for the next message and checks what it is.
func (a *actor) next(ctx context.Context, topic, payload string, qos byte) (client.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case m := <-a.received:
		if m.Topic != topic || string(m.Payload) != payload || m.QoS != qos {
			return m, fmt.Errorf("got %q on %s with QoS %d, want %q on %s with QoS %d", m.Payload, m.Topic, m.QoS, payload, topic, qos)
		}
		return m, nil
	case <-a.Done():
		return client.Message{}, fmt.Errorf("the connection is gone: %w", a.Err())
	case <-ctx.Done():
		return client.Message{}, fmt.Errorf("no message on %s came within %v", topic, patience)
	}
}
