package packet_test

import (
	"errors"
	"testing"

	"sampan/packet"
)

// TestCheck: what AppendTo would write wrongly, Check refuses under the rule that
// the receiver would name.
func TestCheck(t *testing.T) {
	platform := packet.DefaultLimits()
	platform.Types = packet.FromClient // what may be received does not bound what may be sent
	old := packet.Limits{Level: packet.Level31}
	long := make([]byte, 65_536)
	subscribe := func(id uint16, dup bool, filters ...string) *packet.Subscribe {
		s := &packet.Subscribe{ID: id, Dup: dup}
		for _, f := range filters {
			s.Add([]byte(f), 1)
		}
		return s
	}
	unsubscribe := func(id uint16, filters ...string) *packet.Unsubscribe {
		u := &packet.Unsubscribe{ID: id}
		for _, f := range filters {
			u.Add([]byte(f))
		}
		return u
	}
	topic := []byte("a/b")
	for name, tt := range map[string]struct {
		p    coder
		lim  *packet.Limits
		rule packet.Rule // empty: legal
	}{
		"PUBLISH":                        {&packet.Publish{Topic: topic}, nil, ""},
		"PUBLISH for the platform":       {&packet.Publish{Topic: topic, QoS: 1, ID: 1}, &platform, ""},
		"PUBLISH, no topic":              {&packet.Publish{}, nil, packet.RuleTopicEmpty},
		"PUBLISH, topic too long":        {&packet.Publish{Topic: long}, nil, packet.RuleTopicTooLong},
		"PUBLISH, wildcard":              {&packet.Publish{Topic: []byte("a/#")}, nil, packet.RulePublishWildcard},
		"PUBLISH, QoS 3":                 {&packet.Publish{Topic: topic, QoS: 3, ID: 1}, nil, packet.RuleQoS3},
		"PUBLISH, QoS 4":                 {&packet.Publish{Topic: topic, QoS: 4, ID: 1}, nil, packet.RuleQoS3},
		"PUBLISH, QoS 0 with identifier": {&packet.Publish{Topic: topic, ID: 1}, nil, packet.RuleIDWithoutQoS},
		"PUBLISH, QoS 1 without":         {&packet.Publish{Topic: topic, QoS: 1}, nil, packet.RuleZeroID},
		"PUBLISH, QoS 0 with DUP":        {&packet.Publish{Topic: topic, Dup: true}, nil, packet.RuleDupQoS0},
		"PUBLISH, the same in 3.1":       {&packet.Publish{Topic: topic, Dup: true}, &old, ""},
		"PUBLISH, QoS 2":                 {&packet.Publish{Topic: topic, QoS: 2, ID: 1}, &platform, packet.RuleLimitQoS2},
		"PUBLISH, payload":               {&packet.Publish{Topic: topic, Payload: make([]byte, 262_145)}, &platform, packet.RuleLimitPayload},
		"PUBLISH, remaining length": {
			&packet.Publish{Topic: topic, Payload: make([]byte, packet.MaxRemaining)}, nil, packet.RulePublishLength,
		},

		"CONNECT":                  {&packet.Connect{CleanSession: true}, nil, ""},
		"CONNECT for the platform": {&packet.Connect{ClientID: []byte("c")}, &platform, ""},
		"CONNECT, no identifier":   {&packet.Connect{}, nil, packet.RuleClientIDEmpty},
		"CONNECT, the same in 3.1": {&packet.Connect{Level: packet.Level31, CleanSession: true}, nil, packet.RuleClientID31},
		"CONNECT, level 5":         {&packet.Connect{Level: 5, CleanSession: true}, nil, packet.RuleProtocolLevel},
		"CONNECT, Will QoS 3":      {&packet.Connect{CleanSession: true, Will: true, WillTopic: topic, WillQoS: 3}, nil, packet.RuleWillQoS},
		"CONNECT, Will QoS 4":      {&packet.Connect{CleanSession: true, Will: true, WillTopic: topic, WillQoS: 4}, nil, packet.RuleWillQoS},
		"CONNECT, Will QoS alone":  {&packet.Connect{CleanSession: true, WillQoS: 1}, nil, packet.RuleWillQoSClear},
		"CONNECT, the same in 3.1, which would not come back": {
			&packet.Connect{Level: packet.Level31, ClientID: topic, WillQoS: 1}, nil, packet.RuleWillQoSClear,
		},
		"CONNECT, Will Retain alone in 3.1": {
			&packet.Connect{Level: packet.Level31, ClientID: topic, WillRetain: true}, nil, packet.RuleWillRetainClear,
		},
		"CONNECT, Will topic alone": {&packet.Connect{CleanSession: true, WillTopic: topic}, nil, packet.RuleWillClear},
		"CONNECT, user name alone":  {&packet.Connect{CleanSession: true, Username: topic}, nil, packet.RuleUsernameClear},
		"CONNECT, password alone":   {&packet.Connect{CleanSession: true, HasUsername: true, Password: topic}, nil, packet.RulePasswordClear},
		"CONNECT, password flag alone": {
			&packet.Connect{CleanSession: true, HasPassword: true}, nil, packet.RulePasswordAlone,
		},
		"CONNECT, password too long": {
			&packet.Connect{CleanSession: true, HasUsername: true, HasPassword: true, Password: long}, nil, packet.RuleConnectLength,
		},

		"CONNACK":                          {&packet.Connack{SessionPresent: true}, nil, ""},
		"CONNACK, refusal with session":    {&packet.Connack{SessionPresent: true, Code: packet.RefusedIdentifier}, nil, packet.RuleSessionPresent},
		"CONNACK, reserved code":           {&packet.Connack{Code: 6}, nil, packet.RuleConnackValue},
		"PUBACK":                           {&packet.Ack{Type: packet.TypePuback, ID: 1}, &platform, ""},
		"PUBACK, no identifier":            {&packet.Ack{Type: packet.TypePuback}, nil, packet.RuleAckID},
		"UNSUBACK, no identifier":          {&packet.Ack{Type: packet.TypeUnsuback}, nil, packet.RuleSubackID},
		"PUBREL with DUP":                  {&packet.Ack{Type: packet.TypePubrel, ID: 1, Dup: true}, nil, packet.RulePubrelFlags},
		"PUBREL with DUP in 3.1":           {&packet.Ack{Type: packet.TypePubrel, ID: 1, Dup: true}, &old, ""},
		"Ack of a type that is none":       {&packet.Ack{Type: packet.TypePublish, ID: 1}, nil, packet.RulePublishLength},
		"Ack without a type":               {&packet.Ack{ID: 1}, nil, packet.RuleType},
		"SUBSCRIBE":                        {subscribe(1, false, "a", "+/#"), &platform, ""},
		"SUBSCRIBE, no filter":             {subscribe(1, false), nil, packet.RuleSubscribeEmpty},
		"SUBSCRIBE, no identifier":         {subscribe(0, false, "a"), nil, packet.RuleZeroID},
		"SUBSCRIBE, empty filter":          {subscribe(1, false, ""), nil, packet.RuleTopicEmpty},
		"SUBSCRIBE, wildcard out of place": {subscribe(1, false, "a#"), nil, packet.RuleHash},
		"SUBSCRIBE with DUP":               {subscribe(1, true, "a"), nil, packet.RuleSubscribeFlags},
		"SUBSCRIBE with DUP in 3.1":        {subscribe(1, true, "a"), &old, ""},
		"SUBACK":                           {&packet.Suback{ID: 1, Codes: []byte{0, 1, 2, 0x80}}, nil, ""},
		"SUBACK, code 3":                   {&packet.Suback{ID: 1, Codes: []byte{3}}, nil, packet.RuleSubackCode},
		"SUBACK, no code":                  {&packet.Suback{ID: 1}, nil, packet.RuleSubackLength},
		"UNSUBSCRIBE":                      {unsubscribe(1, "a", "#"), nil, ""},
		"UNSUBSCRIBE, no filter":           {unsubscribe(1), nil, packet.RuleUnsubscribeEmpty},
	} {
		err := tt.p.Check(tt.lim)
		var e *packet.Error
		switch {
		case tt.rule == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tt.rule != "" && (!errors.As(err, &e) || e.Rule != tt.rule):
			t.Errorf("%s: %v, want %s", name, err, tt.rule)
		}
	}
}

// TestNoEncoding: a value that no bytes can express appends nothing, and Size
// says so.
func TestNoEncoding(t *testing.T) {
	long := make([]byte, 65_536)
	huge := make([]byte, packet.MaxRemaining)
	for name, p := range map[string]coder{
		"PUBLISH, topic":     &packet.Publish{Topic: long},
		"PUBLISH, payload":   &packet.Publish{Topic: []byte("a"), Payload: huge},
		"CONNECT, client id": &packet.Connect{ClientID: long},
		"CONNECT, password":  &packet.Connect{HasPassword: true, Password: long},
		"SUBACK, codes":      &packet.Suback{ID: 1, Codes: huge},
	} {
		if got := p.AppendTo([]byte("x")); len(got) != 1 || p.Size() != 0 {
			t.Errorf("%s: %d bytes appended, Size %d", name, len(got)-1, p.Size())
		}
	}
	p := packet.Publish{Topic: long}
	if got := p.AppendHead(nil); got != nil {
		t.Errorf("%d bytes of a head appended", len(got))
	}
	largest := packet.Publish{Topic: []byte("a"), Payload: huge[:packet.MaxRemaining-3]}
	if got := largest.Size(); got != 5+packet.MaxRemaining {
		t.Errorf("the largest PUBLISH has %d bytes", got)
	}
	if got := largest.AppendHead(nil); string(got) != "\x30\xff\xff\xff\x7f\x00\x01a" {
		t.Errorf("its head is %x", got)
	}
	var s packet.Subscribe
	var u packet.Unsubscribe
	if s.Add(long, 0) || u.Add(long) || s.Len() != 0 || u.Len() != 0 {
		t.Error("a filter of 65,536 bytes was added")
	}
}

// TestAddLeavesTheFrameAlone: a decoded SUBSCRIBE is a view; adding to it may not
// write behind its frame.
func TestAddLeavesTheFrameAlone(t *testing.T) {
	s := packet.Subscribe{ID: 1}
	s.Add([]byte("a"), 1)
	u := packet.Unsubscribe{ID: 1}
	u.Add([]byte("a"))
	for _, raw := range [][]byte{s.AppendTo(nil), u.AppendTo(nil)} {
		n := len(raw)
		b := packet.AppendPingreq(raw)
		f, _, _, err := packet.Next(b, nil)
		if err != nil {
			t.Fatal(err)
		}
		switch f.Type() {
		case packet.TypeSubscribe:
			if err := s.Decode(f, nil); err != nil {
				t.Fatal(err)
			}
			s.Add([]byte("bc"), 0)
		case packet.TypeUnsubscribe:
			if err := u.Decode(f, nil); err != nil {
				t.Fatal(err)
			}
			u.Add([]byte("bc"))
		}
		if string(b[n:]) != "\xc0\x00" {
			t.Errorf("%v: the next packet became %x", f.Type(), b[n:])
		}
	}
	if s.Len() != 2 || u.Len() != 2 {
		t.Errorf("%d and %d filters", s.Len(), u.Len())
	}
}
