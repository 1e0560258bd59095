package packet_test

import (
	"errors"
	"testing"

	"sampan/packet"
)

// TestDefaultLimits: the restrictions of the platform, as its documents have
// them.
func TestDefaultLimits(t *testing.T) {
	want := packet.Limits{
		Levels:        packet.AcceptLevel3 | packet.AcceptLevel4,
		PublishQoS2:   packet.Refuse,
		SubscribeQoS2: packet.Ignore,
		Will:          packet.Ignore,
		Retain:        packet.Ignore,
		Remaining:     256*1024 + 128 + 4,
		Payload:       256 * 1024,
		Topic:         128,
		Slashes:       7,
		Filters:       8,
		ExcessFilters: packet.Ignore,
	}
	if got := packet.DefaultLimits(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestTypeSets: what a server can be sent and what a client can, by table 2.1.
func TestTypeSets(t *testing.T) {
	for typ, who := range map[packet.Type]struct{ client, server bool }{
		0:                      {false, false},
		packet.TypeConnect:     {false, false}, // first, and then not again
		packet.TypeConnack:     {false, false},
		packet.TypePublish:     {true, true},
		packet.TypePuback:      {true, true},
		packet.TypePubrec:      {true, true},
		packet.TypePubrel:      {true, true},
		packet.TypePubcomp:     {true, true},
		packet.TypeSubscribe:   {true, false},
		packet.TypeSuback:      {false, true},
		packet.TypeUnsubscribe: {true, false},
		packet.TypeUnsuback:    {false, true},
		packet.TypePingreq:     {true, false},
		packet.TypePingresp:    {false, true},
		packet.TypeDisconnect:  {true, false},
		15:                     {false, false},
	} {
		if packet.FromClient.Has(typ) != who.client || packet.FromServer.Has(typ) != who.server {
			t.Errorf("%v: from a client %v, from a server %v, want %v", typ,
				packet.FromClient.Has(typ), packet.FromServer.Has(typ), who)
		}
		if packet.FirstFromClient.Has(typ) != (typ == packet.TypeConnect) ||
			packet.FirstFromServer.Has(typ) != (typ == packet.TypeConnack) {
			t.Errorf("%v may or may not come first", typ)
		}
		if !packet.TypeSet(0).Has(typ) {
			t.Errorf("%v is not in the empty set, which restricts nothing", typ)
		}
	}
}

// TestEveryFirstByte: of the 256 first bytes, exactly those of table 2.2 begin a
// packet (MQTT-2.2.2-1, MQTT-2.2.2-2), and that is known from the one byte.
func TestEveryFirstByte(t *testing.T) {
	legal := map[byte]bool{
		0x10: true, 0x20: true, 0x40: true, 0x50: true, 0x62: true, 0x70: true, 0x82: true, 0x90: true,
		0xa2: true, 0xb0: true, 0xc0: true, 0xd0: true, 0xe0: true,
		// PUBLISH: DUP only with QoS 1 and 2, no QoS 3.
		0x30: true, 0x31: true, 0x32: true, 0x33: true, 0x34: true, 0x35: true,
		0x3a: true, 0x3b: true, 0x3c: true, 0x3d: true,
	}
	legal31 := map[byte]bool{0x38: true, 0x39: true, 0x6a: true, 0x8a: true, 0xaa: true}
	for first := range 256 {
		b := []byte{byte(first)}
		_, n, need, err := packet.Next(b, nil)
		if ok := err == nil; ok != legal[b[0]] || ok && (n != 0 || need != 1) {
			t.Errorf("%#02x: n=%d need=%d %v", first, n, need, err)
		}
		_, _, _, err = packet.Next(b, &packet.Limits{Level: packet.Level31})
		if ok := err == nil; ok != (legal[b[0]] || legal31[b[0]]) {
			t.Errorf("%#02x under MQTT 3.1: %v", first, err)
		}
	}
}

// TestDecodeChecksTheFrameItself: a decoder does not rely on Next having been
// asked with the same limits, and takes no frame of another type.
func TestDecodeChecksTheFrameItself(t *testing.T) {
	frames := map[packet.Type]packet.Frame{}
	for _, v := range loadVectors(t) {
		if v.Want == nil || v.Limits != "standard" {
			continue
		}
		if f, _, _, err := packet.Next(v.raw(t), nil); err == nil {
			frames[f.Type()] = f
		}
	}
	for typ := packet.TypeConnect; typ <= packet.TypeDisconnect; typ++ {
		for other, f := range frames {
			p := newPacket(typ)
			_, ack := p.(*packet.Ack)
			_, sameKind := newPacket(other).(*packet.Ack)
			if p == nil || typ == other || ack && sameKind {
				continue
			}
			var e *packet.Error
			if err := p.Decode(f, nil); !errors.As(err, &e) || e.Rule != packet.RuleType {
				t.Errorf("%T takes a %v: %v", p, other, err)
			}
		}
		if p := newPacket(typ); p != nil {
			if err := p.Decode(packet.Frame{}, nil); err == nil {
				t.Errorf("%T takes an empty frame", p)
			}
			forged := frames[typ]
			forged.Raw = forged.Raw[:1]
			if err := p.Decode(forged, nil); err == nil {
				t.Errorf("%T takes a frame of one byte", p)
			}
			forged.Raw = nil
			if err := p.Decode(forged, nil); err == nil {
				t.Errorf("%T takes a frame without bytes", p)
			}
			nowOnly := packet.Limits{Types: 1 << 15}
			if err := p.Decode(frames[typ], &nowOnly); err == nil {
				t.Errorf("%T is decoded although its type is not acceptable", p)
			}
		}
	}
	publish := (&packet.Publish{Topic: []byte("/pk/dn/update"), QoS: 2, ID: 1, Retain: true}).AppendTo(nil)
	f, _, _, _ := packet.Next(publish, nil)
	for _, lim := range []packet.Limits{
		{PublishQoS2: packet.Refuse}, {Retain: packet.Refuse}, {Remaining: 10}, {Payload: 1, Topic: 1}, {Slashes: 2},
	} {
		var p packet.Publish
		if err := p.Decode(f, &lim); err == nil {
			t.Errorf("%+v: PUBLISH accepted", lim)
		}
	}
}

// TestSizeFromTheFixedHeader: a limit of 0 is none, and the bound on a packet
// follows from those on its parts.
func TestSizeFromTheFixedHeader(t *testing.T) {
	for _, tt := range []struct {
		lim  packet.Limits
		typ  packet.Type
		most int // largest remaining length let through
	}{
		{packet.Limits{}, packet.TypePublish, packet.MaxRemaining},
		{packet.Limits{}, packet.TypeSubscribe, packet.MaxRemaining},
		{packet.Limits{}, packet.TypeConnect, 2 + 6 + 4 + 5*65_537},
		{packet.Limits{Payload: 1000}, packet.TypePublish, 2 + 65_535 + 2 + 1000},
		{packet.Limits{Payload: 1000, Topic: 10}, packet.TypePublish, 2 + 10 + 2 + 1000},
		{packet.Limits{Payload: 1000, Topic: 10}, packet.TypeSubscribe, packet.MaxRemaining},
		{packet.Limits{Payload: 1000, Topic: 10, Remaining: 50}, packet.TypePublish, 50},
		{packet.Limits{Remaining: 50}, packet.TypeSubscribe, 50},
		{packet.Limits{Remaining: 50}, packet.TypeSuback, 50},
		{packet.Limits{Connect: 99}, packet.TypeConnect, 99},
		{packet.Limits{Filters: 3, ExcessFilters: packet.Refuse}, packet.TypeSubscribe, 2 + 3*(2+65_535+1)},
		{packet.Limits{Filters: 3, ExcessFilters: packet.Ignore}, packet.TypeSubscribe, packet.MaxRemaining},
	} {
		first := byte(tt.typ) << 4
		if tt.typ == packet.TypeSubscribe {
			first |= 2
		}
		for _, rem := range []int{tt.most, tt.most + 1} {
			if rem > packet.MaxRemaining {
				continue
			}
			_, n, need, err := packet.Next(packet.AppendClaim(nil, first, rem, 4, nil), &tt.lim)
			if rem == tt.most && (err != nil || n != 0 || need != rem) {
				t.Errorf("%v with %+v: %d bytes: need %d, %v", tt.typ, tt.lim, rem, need, err)
			}
			if rem > tt.most && err == nil {
				t.Errorf("%v with %+v: %d bytes are waited for", tt.typ, tt.lim, rem)
			}
		}
	}
}

func TestNames(t *testing.T) {
	for typ, name := range map[packet.Type]string{
		0: "RESERVED-0", packet.TypeConnect: "CONNECT", packet.TypeUnsubscribe: "UNSUBSCRIBE",
		packet.TypeDisconnect: "DISCONNECT", 15: "RESERVED-15", 0xf3: "PUBLISH",
	} {
		if typ.String() != name {
			t.Errorf("type %d is %q, want %q", typ, typ, name)
		}
	}
	if s := packet.RefusedCredentials.String(); s != "bad user name or password" {
		t.Errorf("return code 4 is %q", s)
	}
	if s := packet.ReturnCode(6).String(); s != "reserved return code" {
		t.Errorf("return code 6 is %q", s)
	}
}
