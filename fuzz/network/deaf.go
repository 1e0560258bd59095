package network

import (
	"context"
	"fmt"

	"sampan/packet"
)

// What the deaf client is sent, in bytes: more than networks hold, and than any broker should.
const (
	deafMessage = 32 << 10
	deafTotal   = 8 << 20
)

// besideDeaf looks whether a client that never reads harms others: the canaries must go on hearing each other
// while it is sent more than anybody can keep for it. What becomes of the deaf client itself is the broker's
// affair.
func (cs *canaries) besideDeaf(ctx context.Context) *Health {
	deaf, err := cs.connect(ctx, "deaf")
	if err != nil {
		return nil // who may connect has been seen before
	}
	defer deaf.nc.Close()
	s := packet.Subscribe{ID: 2}
	s.Add(cs.topic("flood"), 0)
	if _, err := deaf.nc.Write(s.AppendTo(nil)); err != nil {
		return nil
	}
	if _, err := deaf.until(cs.patience, packet.TypeSuback); err != nil {
		return nil
	}
	p := packet.Publish{Topic: cs.topic("flood"), Payload: make([]byte, deafMessage)}
	raw := p.AppendTo(nil)
	for sent := 0; sent < deafTotal && ctx.Err() == nil; sent += len(raw) {
		if cs.a == nil {
			break
		}
		if err := cs.a.write(raw, cs.patience); err != nil {
			return cs.deafened(sent, fmt.Errorf("the publisher is held up: %w", err))
		}
		if h := cs.sing(ctx); h != nil {
			return cs.deafened(sent+len(raw), h)
		}
	}
	return nil
}

// deafened says what was done, since no script does it.
func (cs *canaries) deafened(sent int, err error) *Health {
	return &Health{"deaf", fmt.Errorf("one client subscribed to %[1]s with QoS 0 and read nothing from then on, another published "+
		"%[2]d bytes there in messages of %[3]d, and others were harmed: %[4]w", cs.topic("flood"), sent, deafMessage, err)}
}
