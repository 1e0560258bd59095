package network

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"sampan/packet"
)

// canaryTopic is what the canaries use. Scripts with a # may see it.
const canaryTopic = "sampan-canary/"

// foreign reports the canaries' topics, for the model.
func foreign(topic string) bool {
	return strings.HasPrefix(topic, canaryTopic) || strings.HasPrefix(topic, "$SYS/")
}

// canaries are two clients that stay connected and send each other messages: they notice when a broker has
// gone, hangs or loses messages, whatever it does to the others.
type canaries struct {
	dial     Dialer
	patience time.Duration
	user     string
	pass     string
	a, b     *canary
	number   int
	tag      string // tells them from those of another campaign
}

// newCanaries makes canaries whose names nobody else has, whatever a campaign's seed is.
func newCanaries(dial Dialer, patience time.Duration, user, pass string) *canaries {
	return &canaries{dial: dial, patience: patience, user: user, pass: pass, tag: rand.Text()[:8]}
}

// topic is one of the canaries' own.
func (cs *canaries) topic(name string) []byte { return []byte(canaryTopic + cs.tag + "/" + name) }

type canary struct {
	nc  net.Conn
	buf []byte
}

// Health is what the canaries say of a broker that is not well.
type Health struct {
	What string // crash, hang, lost, refused, deaf
	Err  error  // of refused: a sentence whose subject is the broker
}

func (h *Health) Error() string { return fmt.Sprintf("%s: %v", h.What, h.Err) }

// Unwrap returns what was seen.
func (h *Health) Unwrap() error { return h.Err }

// sing sends a message from one canary to the other and waits for it. The first call connects them.
func (cs *canaries) sing(ctx context.Context) *Health {
	if cs.a == nil {
		var err error
		if cs.a, err = cs.connect(ctx, "a"); err != nil {
			return cs.gone(err)
		}
		if cs.b, err = cs.connect(ctx, "b"); err != nil {
			cs.close()
			return cs.gone(err)
		}
	}
	cs.number++
	text := fmt.Sprintf("song %d", cs.number)
	p := packet.Publish{Topic: cs.topic("song"), Payload: []byte(text), QoS: 1, ID: uint16(cs.number%65535) + 1}
	if err := cs.a.write(p.AppendTo(nil), cs.patience); err != nil {
		return cs.fallen(ctx, err)
	}
	if _, err := cs.a.until(cs.patience, packet.TypePuback); err != nil {
		return cs.fallen(ctx, err)
	}
	f, err := cs.b.until(cs.patience, packet.TypePublish)
	if err != nil {
		return cs.fallen(ctx, err)
	}
	var got packet.Publish
	if err := got.Decode(f, nil); err != nil || string(got.Payload) != text {
		cs.close() // what comes behind it would be taken for the next song
		return &Health{"lost", fmt.Errorf("want %q, got %q (%v)", text, got.Payload, err)}
	}
	cs.b.nc.Write(packet.AppendPuback(nil, got.ID))
	return nil
}

// fallen says why a canary has no answer: the broker is gone if nobody can connect any more.
func (cs *canaries) fallen(ctx context.Context, cause error) *Health {
	cs.close()
	probe, err := cs.connect(ctx, "probe")
	if err != nil {
		return cs.gone(fmt.Errorf("%w; then it %w", cause, err))
	}
	probe.nc.Close()
	if isTimeout(cause) {
		return &Health{"lost", fmt.Errorf("no message between two clients: %w", cause)}
	}
	return &Health{"lost", fmt.Errorf("a client that did nothing wrong was disconnected: %w", cause)}
}

// gone says what it means that a canary cannot connect: only who has been there can crash.
func (cs *canaries) gone(err error) *Health {
	switch {
	case cs.number == 0:
		return &Health{"refused", err}
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return &Health{"hang", err}
	}
	return &Health{"crash", err}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

func (cs *canaries) connect(ctx context.Context, role string) (*canary, error) {
	ctx, cancel := context.WithTimeout(ctx, cs.patience)
	defer cancel()
	nc, err := cs.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot be reached: %w", err)
	}
	c := &canary{nc: nc}
	p := packet.Connect{ClientID: []byte("canary-" + role + "-" + cs.tag), CleanSession: true, KeepAlive: 600}
	login{cs.user, cs.pass}.set(&p)
	s := packet.Subscribe{ID: 1}
	s.Add(cs.topic("song"), 1)
	raw := p.AppendTo(nil)
	if role == "b" {
		raw = s.AppendTo(raw)
	}
	nc.Write(raw) // if the broker has closed the connection, that is read
	f, err := c.until(cs.patience, packet.TypeConnack)
	if err != nil {
		err = c.strange(f, err, cs.patience)
	} else {
		err = refusal(f)
	}
	if err == nil && role == "b" {
		if _, err = c.until(cs.patience, packet.TypeSuback); err != nil {
			err = fmt.Errorf("does not answer SUBSCRIBE: %w", err)
		}
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

// write sends bytes, which the broker takes within the patience.
func (c *canary) write(raw []byte, patience time.Duration) error {
	c.nc.SetWriteDeadline(time.Now().Add(patience))
	_, err := c.nc.Write(raw)
	return err
}

// until returns the next packet, which must be of that type.
func (c *canary) until(patience time.Duration, want packet.Type) (packet.Frame, error) {
	c.nc.SetReadDeadline(time.Now().Add(patience))
	for {
		f, n, _, err := packet.Next(c.buf, nil)
		if err != nil {
			return f, err
		}
		if n > 0 {
			c.buf = c.buf[n:]
			if f.Type() != want {
				return f, fmt.Errorf("want %s, got %s", want, f.Type())
			}
			return f, nil
		}
		chunk := make([]byte, 1024)
		n, err = c.nc.Read(chunk)
		c.buf = append(c.buf[:len(c.buf):len(c.buf)], chunk[:n]...)
		if err != nil {
			return f, err
		}
	}
}

func (cs *canaries) close() {
	for _, c := range []*canary{cs.a, cs.b} {
		if c != nil {
			c.nc.Close()
		}
	}
	cs.a, cs.b = nil, nil
}
