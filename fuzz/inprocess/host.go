package inprocess

import (
	"context"
	"errors"
	"fmt"

	"sampan/broker"
	"sampan/fuzz/model"
)

// Host implements script.Target. Keys are the clients' identifiers here.
func (t *Target) Host(c *model.Call, told string) error {
	if got := t.call(c); got != told {
		return fmt.Errorf("the broker says %q, want %q", got, told)
	}
	return nil
}

// call makes a call and returns what the model would call the answer.
func (t *Target) call(c *model.Call) string {
	ctx := context.Background()
	did := false
	switch c.Verb {
	case model.HostPublish:
		n, err := t.b.Publish(ctx, c.Topic, []byte(c.Payload), c.QoS)
		if err != nil {
			return answer(err)
		}
		if t.watched && model.Matches("#", c.Topic) {
			n--
		}
		return fmt.Sprint(n)
	case model.HostDeliver:
		return answer(t.b.Deliver(ctx, c.Client, c.Topic, []byte(c.Payload), c.QoS))
	case model.HostOffer:
		subscribed, err := t.b.DeliverSubscribed(ctx, c.Client, c.Topic, []byte(c.Payload), c.QoS)
		if err != nil {
			return answer(err)
		}
		did = subscribed
	case model.HostSubscribe:
		did = t.b.AddSubscription(c.Client, c.Topic, c.QoS)
	case model.HostUnsubscribe:
		did = t.b.RemoveSubscription(c.Client, c.Topic)
	case model.HostDisconnect:
		did = t.b.Disconnect(c.Client, "a script")
	case model.HostDiscard:
		did = t.b.Discard(c.Client, "a script")
	}
	if !did {
		return model.Nothing
	}
	return model.Done
}

func answer(err error) string {
	switch {
	case err == nil:
		return model.Done
	case errors.Is(err, broker.ErrOffline):
		return model.Offline
	case errors.Is(err, broker.ErrFull):
		return model.Full
	}
	return model.Refused
}
