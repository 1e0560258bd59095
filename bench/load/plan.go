package load

import (
	"errors"
	"fmt"
	"strconv"

	"sampan/bench/proof"
	"sampan/packet"
)

// Plan is a load: clients, and the streams of messages between them.
type Plan struct {
	Clients []Client
	Streams []Stream
	// Shared says that the receivers of a stream share it: each message goes
	// to one of them, in no order among them.
	Shared bool
	// Key tells this run's messages from those of others.
	Key uint64
}

// Client is one MQTT client.
type Client struct {
	// Filters are subscribed after each connect that finds no session.
	Filters []string
	// QoS is asked for in every subscription, 0 or 1.
	QoS byte
	// First and Streams are the range of Plan.Streams that the filters match.
	First, Streams int
	// Persistent keeps the session over connections (clean session 0).
	Persistent bool
	// Answers makes the client a device of RRPC: what it is sent on a topic
	// with "/request/" in it goes back on the one with "/response/" instead.
	Answers bool
}

// Stream is what one client publishes on one topic.
type Stream struct {
	// From is the index of the publishing client, or -1 if a function
	// publishes (see Options.Publish).
	From int
	// Topic is where the messages are sent.
	Topic string
	// Reply is set for requests of RRPC: it is the topic on which receivers
	// see them again. The message's number is added to both as 19 digits.
	Reply string
	// QoS is that of the publishing, 0 or 1.
	QoS byte
	// Deliver is the QoS of the deliveries, the lower one of QoS and that of
	// the subscriptions.
	Deliver byte
	// Size is the payload's size in bytes, at least proof.StampSize.
	Size int
	// Copies is how many receivers get each message.
	Copies int
}

// check finds what would make a run meaningless.
func (p *Plan) check() error {
	if len(p.Streams) > proof.MaxStreams {
		return fmt.Errorf("load: %d streams, at most %d", len(p.Streams), proof.MaxStreams)
	}
	copies := make([]int, len(p.Streams))
	for i, c := range p.Clients {
		if c.First < 0 || c.Streams < 0 || c.First+c.Streams > len(p.Streams) {
			return fmt.Errorf("load: client %d receives streams %d to %d of %d", i, c.First, c.First+c.Streams, len(p.Streams))
		}
		for _, filter := range c.Filters {
			if err := packet.ValidTopicFilter([]byte(filter), nil); err != nil {
				return fmt.Errorf("load: topic filter %q: %w", shown(filter), err)
			}
		}
		if c.Answers {
			continue
		}
		for s := c.First; s < c.First+c.Streams; s++ {
			if copies[s]++; p.Shared {
				copies[s] = 1
			}
		}
	}
	for i, s := range p.Streams {
		switch {
		case s.Size < proof.StampSize:
			return fmt.Errorf("load: a payload of %d bytes cannot hold the stamp of %d", s.Size, proof.StampSize)
		case s.From >= len(p.Clients):
			return fmt.Errorf("load: stream %d comes from client %d of %d", i, s.From, len(p.Clients))
		case s.QoS > 1 || s.Deliver > 1 || s.From >= 0 && s.Deliver > s.QoS:
			return fmt.Errorf("load: stream %d is sent at QoS %d and delivered at %d", i, s.QoS, s.Deliver)
		case s.From < 0 && s.QoS > 0:
			return fmt.Errorf("load: stream %d is published by a function, which has no PUBACK", i)
		case s.Copies != copies[i]:
			return fmt.Errorf("load: stream %d says %d receivers and has %d", i, s.Copies, copies[i])
		case s.Topic == "":
			return errors.New("load: a stream without a topic")
		}
		if s.From < 0 {
			continue
		}
		if err := s.checkPacket(); err != nil {
			return fmt.Errorf("load: topic %q with %d bytes: %w", shown(s.Topic), s.Size, err)
		}
	}
	return nil
}

// checkPacket finds what no PUBLISH can have.
func (s *Stream) checkPacket() error {
	topic := []byte(s.Topic)
	if s.Reply != "" {
		topic = strconv.AppendUint(topic, numberBase, 10)
	}
	if err := packet.ValidTopicName(topic, nil); err != nil {
		return err
	}
	if most := packet.MaxRemaining - 4 - len(topic); s.Size > most {
		return fmt.Errorf("a packet has room for %d", most)
	}
	return nil
}

// shown is as much of a topic as a person reads.
func shown(topic string) string { return topic[:min(len(topic), 100)] }
