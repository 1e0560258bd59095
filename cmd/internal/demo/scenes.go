package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sampan/broker"
	"sampan/cmd/internal/client"
	"sampan/packet"
)

// signIn shows an accepted and a refused signature.
func (s *story) signIn(ctx context.Context) error {
	a, err := s.enter(ctx, &s.boiler, string(s.boiler.Secret()), true)
	if err != nil {
		return err
	}
	s.line("boiler", "-> CONNECT  client id %s", a.fields.ClientID)
	s.line("", "            user name %s, password %s", a.fields.Username, a.fields.Password)
	s.line("boiler", "<- CONNACK  0, accepted")
	if err := a.Disconnect(); err != nil {
		return err
	}
	_, err = s.enter(ctx, &s.cellar, "not-the-secret", true)
	var refused *client.RefusedError
	if !errors.As(err, &refused) || refused.Code != packet.RefusedCredentials {
		return fmt.Errorf("a wrong signature was answered with %v, not with code %d", err, packet.RefusedCredentials)
	}
	s.line("stranger", "-> CONNECT  as cellar, signed with a secret of its own")
	s.line("stranger", "<- CONNACK  %d, %s", refused.Code, refused.Code)
	explained, err := s.log.why(ctx, "msg=refused")
	if err != nil {
		return err
	}
	s.line("log", "%s", explained)
	return nil
}

// messages shows a message to a device and one from it.
func (s *story) messages(ctx context.Context) error {
	a, err := s.enter(ctx, &s.boiler, string(s.boiler.Secret()), true)
	if err != nil {
		return err
	}
	defer a.Close()
	get, update := s.topic("boiler", "get"), s.topic("boiler", "update")
	if err := s.subscribe(ctx, a, get); err != nil {
		return err
	}
	if _, err := s.srv.Broker.Publish(ctx, get, []byte("set 21.5"), 1); err != nil {
		return err
	}
	s.line("server", "-> PUBLISH  %s QoS 1: set 21.5", get)
	if _, err := a.next(ctx, get, "set 21.5", 1); err != nil {
		return err
	}
	s.line("boiler", "<- PUBLISH  %s QoS 1: set 21.5", get)

	arrived := make(chan broker.Message, 1)
	subscription, err := s.srv.Broker.Subscribe(update, func(m broker.Message) { arrived <- m })
	if err != nil {
		return err
	}
	defer subscription.Close()
	if err := a.Publish(ctx, update, []byte("now 19.0"), 1); err != nil {
		return err
	}
	s.line("boiler", "-> PUBLISH  %s QoS 1: now 19.0", update)
	s.line("boiler", "<- PUBACK")
	select {
	case m := <-arrived:
		if m.Topic != update || string(m.Payload) != "now 19.0" {
			return fmt.Errorf("the server got %q on %s", m.Payload, m.Topic)
		}
		s.line("server", "<- PUBLISH  %s: now 19.0", update)
	case <-time.After(patience):
		return errors.New("the server did not get the device's message")
	}
	return a.Disconnect()
}

// offline shows a persistent session: QoS 1 messages wait for the device, in order.
func (s *story) offline(ctx context.Context) error {
	secret, get := string(s.boiler.Secret()), s.topic("boiler", "get")
	a, err := s.enter(ctx, &s.boiler, secret, false)
	if err != nil {
		return err
	}
	if err := s.subscribe(ctx, a, get); err != nil {
		return err
	}
	if err := a.Disconnect(); err != nil {
		return err
	}
	s.line("boiler", "leaves; its session stays (clean session 0)")
	orders := []string{"set 18.0", "set 18.5", "set 19.0"}
	for _, order := range orders {
		if _, err := s.srv.Broker.Publish(ctx, get, []byte(order), 1); err != nil {
			return err
		}
	}
	s.line("server", "-> PUBLISH  %s QoS 1: %s", get, strings.Join(orders, ", then "))
	again, err := s.enter(ctx, &s.boiler, secret, false)
	if err != nil {
		return err
	}
	defer again.Close()
	if !again.SessionPresent() {
		return errors.New("CONNACK does not say that the session is there")
	}
	s.line("boiler", "comes back; CONNACK says: session present")
	for _, order := range orders {
		m, err := again.next(ctx, get, order, 1)
		if err != nil {
			return err
		}
		s.line("boiler", "<- PUBLISH  %s QoS 1: %s", m.Topic, m.Payload)
	}
	return again.Disconnect()
}

// call shows a call of a device with its answer.
func (s *story) call(ctx context.Context) error {
	a, err := s.enter(ctx, &s.cellar, string(s.cellar.Secret()), true)
	if err != nil {
		return err
	}
	defer a.Close()
	base := fmt.Sprintf("/sys/%s/cellar/rrpc/", s.product)
	asked := make(chan client.Message, 1)
	a.answer = func(c *client.Client, m client.Message) bool {
		id, isRequest := strings.CutPrefix(m.Topic, base+"request/")
		if isRequest {
			asked <- m
			c.Publish(ctx, base+"response/"+id, []byte("18.2"), 0) // if it fails, the call gets no answer
		}
		return isRequest
	}
	if err := s.subscribe(ctx, a, base+"request/+"); err != nil {
		return err
	}
	began := time.Now()
	answer, err := s.srv.Platform.RRPC(ctx, s.product, "cellar", []byte("temperature?"), "", patience)
	if err != nil {
		return err
	}
	took := time.Since(began).Round(time.Microsecond)
	request := <-asked
	if string(request.Payload) != "temperature?" || string(answer.Payload) != "18.2" {
		return fmt.Errorf("asked %q, answered %q", request.Payload, answer.Payload)
	}
	s.line("server", "calls cellar: temperature?")
	s.line("cellar", "<- PUBLISH  %s: temperature?", request.Topic)
	s.line("cellar", "-> PUBLISH  %sresponse/%d: 18.2", base, answer.MessageID)
	s.line("server", "has the answer 18.2 after %v", took)
	return a.Disconnect()
}

// foreign shows what happens to topics of somebody else: the subscription fails, the message goes nowhere.
func (s *story) foreign(ctx context.Context) error {
	a, err := s.enter(ctx, &s.cellar, string(s.cellar.Secret()), true)
	if err != nil {
		return err
	}
	defer a.Close()
	theirs := s.topic("boiler", "get")
	codes, err := a.Subscribe(ctx, client.Subscription{Filter: theirs, QoS: 1})
	if err != nil {
		return err
	}
	if codes[0] != packet.SubackFailure {
		return fmt.Errorf("cellar was granted %s", theirs)
	}
	s.line("cellar", "-> SUBSCRIBE %s", theirs)
	s.line("cellar", "<- SUBACK   0x80, refused")
	update := s.topic("boiler", "update")
	leaked := make(chan broker.Message, 1)
	subscription, err := s.srv.Broker.Subscribe(update, func(m broker.Message) { leaked <- m })
	if err != nil {
		return err
	}
	defer subscription.Close()
	if err := a.Publish(ctx, update, []byte("now 99.9"), 1); err != nil {
		return err
	}
	s.line("cellar", "-> PUBLISH  %s QoS 1: now 99.9", update)
	s.line("cellar", "<- PUBACK   so that its window does not fill; the message goes nowhere")
	// What the server publishes now arrives behind whatever came before it.
	if _, err := s.srv.Broker.Publish(ctx, update, []byte("marker"), 0); err != nil {
		return err
	}
	select {
	case m := <-leaked:
		if string(m.Payload) != "marker" {
			return fmt.Errorf("the forbidden message arrived: %q", m.Payload)
		}
	case <-time.After(patience):
		return errors.New("the marker did not arrive")
	}
	explained, err := s.log.why(ctx, `msg="publish refused"`)
	if err != nil {
		return err
	}
	s.line("log", "%s", explained)
	return a.Disconnect()
}

func (s *story) subscribe(ctx context.Context, a *actor, filter string) error {
	codes, err := a.Subscribe(ctx, client.Subscription{Filter: filter, QoS: 1})
	if err != nil {
		return err
	}
	if codes[0] != 1 {
		return fmt.Errorf("the subscription to %s was answered with %#x", filter, codes[0])
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(filter, "/sys"), "/"+s.product+"/"), "/")
	s.line(name, "-> SUBSCRIBE %s", filter)
	s.line(name, "<- SUBACK   granted QoS 1")
	return nil
}

func (s *story) topic(device, suffix string) string {
	return "/" + s.product + "/" + device + "/" + suffix
}
