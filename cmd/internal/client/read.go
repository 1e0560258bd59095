package client

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"sampan/packet"
)

// read hands on what comes until the connection ends.
func (c *Client) read(reader *packet.Reader, limits *packet.Limits) {
	defer close(c.done)
	err := c.dispatch(reader, limits)
	switch {
	case errors.Is(err, io.EOF):
		err = errors.New("the broker closed the connection")
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("nothing came from the broker for %v, not even the answers to PINGREQ", c.options.KeepAlive*3/2)
	}
	c.end(err)
	c.conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, answer := range c.waiting {
		close(answer)
		delete(c.waiting, id)
	}
}

func (c *Client) dispatch(reader *packet.Reader, limits *packet.Limits) error {
	for {
		if patience := c.options.KeepAlive * 3 / 2; patience > 0 {
			if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
				return err
			}
		}
		frame, err := reader.Next()
		if err != nil {
			return err
		}
		switch frame.Type() {
		case packet.TypePublish:
			err = c.receive(frame, limits)
		case packet.TypeSuback:
			var suback packet.Suback
			if err = suback.Decode(frame, limits); err == nil {
				err = c.answer(frame.Type(), suback.ID, append([]byte{}, suback.Codes...))
			}
		case packet.TypePuback, packet.TypeUnsuback:
			var ack packet.Ack
			if err = ack.Decode(frame, limits); err == nil {
				err = c.answer(frame.Type(), ack.ID, []byte{})
			}
		case packet.TypePingresp:
		default:
			err = fmt.Errorf("%s from the broker, which nothing asked for", frame.Type())
		}
		if err != nil {
			return err
		}
	}
}

func (c *Client) receive(frame packet.Frame, limits *packet.Limits) error {
	var p packet.Publish
	if err := p.Decode(frame, limits); err != nil {
		return err
	}
	if p.QoS == 2 {
		return errors.New("the broker sent QoS 2, which was never asked for")
	}
	c.handling.Lock()
	defer c.handling.Unlock()
	taken := true
	if c.options.OnMessage != nil {
		taken = c.options.OnMessage(Message{
			Topic: string(p.Topic), Payload: append([]byte{}, p.Payload...),
			QoS: p.QoS, ID: p.ID, Dup: p.Dup, Retain: p.Retain,
		})
	}
	if p.QoS == 1 && taken {
		return c.send(packet.AppendPuback(nil, p.ID))
	}
	return nil
}

// Ack acknowledges a message; see Options.OnMessage. Messages are to be acknowledged in the order in which they
// came [MQTT-4.6.0-2].
func (c *Client) Ack(id uint16) error { return c.send(packet.AppendPuback(nil, id)) }

// answer wakes the request that waits for it.
func (c *Client) answer(t packet.Type, id uint16, codes []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	waiter, found := c.waiting[id]
	if !found {
		return fmt.Errorf("%s with the identifier %d, which no request has", t, id)
	}
	delete(c.waiting, id)
	waiter <- codes // has room for the one answer
	return nil
}
