package codec_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
	mochip "github.com/mochi-mqtt/server/v2/packets"

	"sampan/internal/ceiling"
	"sampan/packet"
)

// seen is what a codec has made of a packet: the fields that all of them have, written the same way.
type seen string

// FuzzCodecs: what our codec accepts, the codecs of paho and mochi read the same way. They check less, so
// what ours refuses they may accept; what they refuse and ours accepts would be a mistake of one of them.
func FuzzCodecs(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		defer ceiling.Bytes(ceiling.Lots + 64*len(data)).Hold(t)()
		frame, n, _, err := packet.Next(data, nil)
		if err != nil || n == 0 {
			return
		}
		raw := bytes.Clone(frame.Raw)
		ours, again, err := bySampan(frame)
		if err != nil || ours == "" {
			return
		}
		// Another form of the remaining length is legal, and not written again.
		if len(again) == len(raw) && !bytes.Equal(again, raw) {
			t.Fatalf("% x is written as % x", raw, again)
		}
		for name, codec := range map[string]func([]byte) (seen, error){"paho": byPaho, "mochi": byMochi} {
			theirs, err := codec(again)
			if err != nil {
				t.Fatalf("%s refuses % x (%s): %v", name, raw, ours, err)
			}
			if theirs != ours {
				t.Fatalf("% x\n%s: %s\nours: %s", raw, name, theirs, ours)
			}
		}
	})
}

// bySampan decodes a packet of a 3.1.1 client and encodes it again.
func bySampan(f packet.Frame) (seen, []byte, error) {
	switch f.Type() {
	case packet.TypeConnect:
		var p packet.Connect
		if err := p.Decode(f, &packet.Limits{Levels: packet.AcceptLevel4}); err != nil {
			return "", nil, err
		}
		return seen(fmt.Sprintf("CONNECT %q clean %t alive %d will %t q%d %t %q %q user %q pass %q", p.ClientID, p.CleanSession, p.KeepAlive,
			p.Will, p.WillQoS, p.WillRetain, p.WillTopic, p.WillMessage, p.Username, p.Password)), p.AppendTo(nil), nil
	case packet.TypePublish:
		var p packet.Publish
		if err := p.Decode(f, nil); err != nil {
			return "", nil, err
		}
		return seen(fmt.Sprintf("PUBLISH %q q%d id %d dup %t retain %t %q", p.Topic, p.QoS, p.ID, p.Dup, p.Retain, p.Payload)), p.AppendTo(nil), nil
	case packet.TypeSubscribe:
		var p packet.Subscribe
		if err := p.Decode(f, nil); err != nil {
			return "", nil, err
		}
		s := fmt.Sprintf("SUBSCRIBE %d", p.ID)
		for filter, qos := range p.All() {
			s += fmt.Sprintf(" %q q%d", filter, qos)
		}
		return seen(s), p.AppendTo(nil), nil
	case packet.TypeUnsubscribe:
		var p packet.Unsubscribe
		if err := p.Decode(f, nil); err != nil {
			return "", nil, err
		}
		s := fmt.Sprintf("UNSUBSCRIBE %d", p.ID)
		for filter := range p.All() {
			s += fmt.Sprintf(" %q", filter)
		}
		return seen(s), p.AppendTo(nil), nil
	case packet.TypePuback:
		var p packet.Ack
		if err := p.Decode(f, nil); err != nil {
			return "", nil, err
		}
		return seen(fmt.Sprintf("PUBACK %d", p.ID)), p.AppendTo(nil), nil
	}
	return "", nil, nil
}

var errOther = errors.New("another packet")

func byPaho(raw []byte) (seen, error) {
	cp, err := packets.ReadPacket(bytes.NewReader(raw))
	if err != nil {
		return "", err
	}
	switch p := cp.(type) {
	case *packets.ConnectPacket:
		return seen(fmt.Sprintf("CONNECT %q clean %t alive %d will %t q%d %t %q %q user %q pass %q", p.ClientIdentifier, p.CleanSession, p.Keepalive,
			p.WillFlag, p.WillQos, p.WillRetain, p.WillTopic, p.WillMessage, p.Username, p.Password)), nil
	case *packets.PublishPacket:
		return seen(fmt.Sprintf("PUBLISH %q q%d id %d dup %t retain %t %q", p.TopicName, p.Qos, p.MessageID, p.Dup, p.Retain, p.Payload)), nil
	case *packets.SubscribePacket:
		s := fmt.Sprintf("SUBSCRIBE %d", p.MessageID)
		for i, filter := range p.Topics {
			s += fmt.Sprintf(" %q q%d", filter, p.Qoss[i])
		}
		return seen(s), nil
	case *packets.UnsubscribePacket:
		s := fmt.Sprintf("UNSUBSCRIBE %d", p.MessageID)
		for _, filter := range p.Topics {
			s += fmt.Sprintf(" %q", filter)
		}
		return seen(s), nil
	case *packets.PubackPacket:
		return seen(fmt.Sprintf("PUBACK %d", p.MessageID)), nil
	}
	return "", errOther
}

func byMochi(raw []byte) (seen, error) {
	p := &mochip.Packet{ProtocolVersion: 4}
	if err := p.FixedHeader.Decode(raw[0]); err != nil {
		return "", err
	}
	rem, size, err := mochip.DecodeLength(bytes.NewReader(raw[1:]))
	if err != nil {
		return "", err
	}
	p.FixedHeader.Remaining = rem
	body := raw[1+size:]
	switch p.FixedHeader.Type {
	case mochip.Connect:
		if err := p.ConnectDecode(body); err != nil {
			return "", err
		}
		c := &p.Connect
		return seen(fmt.Sprintf("CONNECT %q clean %t alive %d will %t q%d %t %q %q user %q pass %q", c.ClientIdentifier, c.Clean, c.Keepalive,
			c.WillFlag, c.WillQos, c.WillRetain, c.WillTopic, c.WillPayload, c.Username, c.Password)), nil
	case mochip.Publish:
		if err := p.PublishDecode(body); err != nil {
			return "", err
		}
		h := &p.FixedHeader
		return seen(fmt.Sprintf("PUBLISH %q q%d id %d dup %t retain %t %q", p.TopicName, h.Qos, p.PacketID, h.Dup, h.Retain, p.Payload)), nil
	case mochip.Subscribe:
		if err := p.SubscribeDecode(body); err != nil {
			return "", err
		}
		s := fmt.Sprintf("SUBSCRIBE %d", p.PacketID)
		for _, sub := range p.Filters {
			s += fmt.Sprintf(" %q q%d", sub.Filter, sub.Qos)
		}
		return seen(s), nil
	case mochip.Unsubscribe:
		if err := p.UnsubscribeDecode(body); err != nil {
			return "", err
		}
		s := fmt.Sprintf("UNSUBSCRIBE %d", p.PacketID)
		for _, sub := range p.Filters {
			s += fmt.Sprintf(" %q", sub.Filter)
		}
		return seen(s), nil
	case mochip.Puback:
		if err := p.PubackDecode(body); err != nil {
			return "", err
		}
		return seen(fmt.Sprintf("PUBACK %d", p.PacketID)), nil
	}
	return "", errOther
}
