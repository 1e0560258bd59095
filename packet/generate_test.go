package packet_test

import (
	"pgregory.net/rapid"

	"sampan/packet"
)

// Generators of legal values, which lean towards the borders.

// lengths leans towards the lengths at which a field or a packet changes form.
func lengths(most int) *rapid.Generator[int] {
	borders := []int{0, 1, 7, 8, 9, 15, 16, 17, 127, 128, 129, 255, 256, 16_379, 16_384, 65_535}
	var fitting []int
	for _, n := range borders {
		if n <= most {
			fitting = append(fitting, n)
		}
	}
	return rapid.OneOf(rapid.IntRange(0, min(most, 40)), rapid.SampledFrom(fitting))
}

// texts are UTF-8 without U+0000, of at most most bytes.
func texts(most int) *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		n := lengths(most).Draw(t, "length")
		alphabet := rapid.SampledFrom([][]rune{
			[]rune("abcXYZ019 '*.,-_$\""),
			[]rune("a/é设\ufeff\U0002a6d4\u0001\u007f"),
		}).Draw(t, "alphabet")
		pattern := rapid.SliceOfN(rapid.SampledFrom(alphabet), 1, 8).Draw(t, "pattern")
		var s []byte
		for i := 0; len(s) < n; i++ {
			s = append(s, string(pattern[i%len(pattern)])...)
		}
		if len(s) > most {
			s = s[:0]
		}
		return s
	})
}

// names are topic names under the standard.
func names() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		s := texts(65_535).Draw(t, "text")
		slashes := rapid.SliceOfN(rapid.IntRange(0, 300), 0, 10).Draw(t, "slashes")
		for _, at := range slashes {
			if at < len(s) && s[at] < 0x80 {
				s[at] = '/'
			}
		}
		if len(s) == 0 {
			return []byte("/")
		}
		return s
	})
}

// filters are topic filters under the standard.
func filters() *rapid.Generator[[]byte] {
	level := rapid.OneOf(
		rapid.SampledFrom([]string{"+", "+", "", "sys", "$SYS", "设备"}),
		rapid.Map(texts(200), func(b []byte) string { return string(b) }),
	)
	return rapid.Custom(func(t *rapid.T) []byte {
		var s []byte
		for i, l := range rapid.SliceOfN(level, 0, 9).Draw(t, "levels") {
			if i > 0 {
				s = append(s, '/')
			}
			s = append(s, l...)
		}
		if len(s) == 0 {
			return []byte("#")
		}
		if rapid.Bool().Draw(t, "hash") {
			s = append(s, "/#"...)
		}
		return s
	})
}

func ids() *rapid.Generator[uint16] {
	return rapid.OneOf(rapid.SampledFrom([]uint16{1, 255, 256, 65_535}), rapid.Uint16Range(1, 65_535))
}

func payloads() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		n := lengths(65_535).Draw(t, "length")
		pattern := rapid.SliceOfN(rapid.Byte(), 1, 8).Draw(t, "pattern")
		s := make([]byte, n)
		for i := range s {
			s[i] = pattern[i%len(pattern)]
		}
		return s
	})
}

func publishes() *rapid.Generator[*packet.Publish] {
	return rapid.Custom(func(t *rapid.T) *packet.Publish {
		p := &packet.Publish{
			Topic:   names().Draw(t, "topic"),
			Payload: payloads().Draw(t, "payload"),
			QoS:     rapid.ByteRange(0, 2).Draw(t, "qos"),
			Retain:  rapid.Bool().Draw(t, "retain"),
		}
		if p.QoS > 0 {
			p.ID = ids().Draw(t, "id")
			p.Dup = rapid.Bool().Draw(t, "dup")
		}
		return p
	})
}

func connects() *rapid.Generator[*packet.Connect] {
	return rapid.Custom(func(t *rapid.T) *packet.Connect {
		c := &packet.Connect{
			Level:        rapid.SampledFrom([]byte{packet.Level31, packet.Level311}).Draw(t, "level"),
			CleanSession: rapid.Bool().Draw(t, "clean"),
			KeepAlive:    rapid.Uint16().Draw(t, "keepAlive"),
			ClientID:     texts(65_535).Draw(t, "clientID"),
			Will:         rapid.Bool().Draw(t, "will"),
			HasUsername:  rapid.Bool().Draw(t, "hasUsername"),
		}
		if len(c.ClientID) == 0 {
			c.CleanSession, c.Level = true, packet.Level311
		}
		if c.Will {
			c.WillQoS = rapid.ByteRange(0, 2).Draw(t, "willQoS")
			c.WillRetain = rapid.Bool().Draw(t, "willRetain")
			c.WillTopic = names().Draw(t, "willTopic")
			c.WillMessage = payloads().Draw(t, "willMessage")
		}
		if c.HasUsername {
			c.Username = texts(1000).Draw(t, "username")
			if c.HasPassword = rapid.Bool().Draw(t, "hasPassword"); c.HasPassword {
				c.Password = payloads().Draw(t, "password")
			}
		}
		return c
	})
}

func connacks() *rapid.Generator[*packet.Connack] {
	return rapid.Custom(func(t *rapid.T) *packet.Connack {
		c := &packet.Connack{Code: packet.ReturnCode(rapid.ByteRange(0, 5).Draw(t, "code"))}
		c.SessionPresent = c.Code == packet.Accepted && rapid.Bool().Draw(t, "sessionPresent")
		return c
	})
}

func acks() *rapid.Generator[*packet.Ack] {
	return rapid.Custom(func(t *rapid.T) *packet.Ack {
		return &packet.Ack{
			Type: rapid.SampledFrom([]packet.Type{
				packet.TypePuback, packet.TypePubrec, packet.TypePubrel, packet.TypePubcomp, packet.TypeUnsuback,
			}).Draw(t, "type"),
			ID: ids().Draw(t, "id"),
		}
	})
}

func subscribes() *rapid.Generator[*packet.Subscribe] {
	return rapid.Custom(func(t *rapid.T) *packet.Subscribe {
		s := &packet.Subscribe{ID: ids().Draw(t, "id")}
		for _, f := range rapid.SliceOfN(filters(), 1, 12).Draw(t, "filters") {
			s.Add(f, rapid.ByteRange(0, 2).Draw(t, "qos"))
		}
		return s
	})
}

func subacks() *rapid.Generator[*packet.Suback] {
	return rapid.Custom(func(t *rapid.T) *packet.Suback {
		return &packet.Suback{
			ID:    ids().Draw(t, "id"),
			Codes: rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, packet.SubackFailure}), 1, 200).Draw(t, "codes"),
		}
	})
}

func unsubscribes() *rapid.Generator[*packet.Unsubscribe] {
	return rapid.Custom(func(t *rapid.T) *packet.Unsubscribe {
		u := &packet.Unsubscribe{ID: ids().Draw(t, "id")}
		for _, f := range rapid.SliceOfN(filters(), 1, 12).Draw(t, "filters") {
			u.Add(f)
		}
		return u
	})
}

// packets are legal packets of every type that has a body.
func packets() *rapid.Generator[coder] {
	return rapid.OneOf(
		rapid.Map(connects(), func(p *packet.Connect) coder { return p }),
		rapid.Map(connacks(), func(p *packet.Connack) coder { return p }),
		rapid.Map(publishes(), func(p *packet.Publish) coder { return p }),
		rapid.Map(acks(), func(p *packet.Ack) coder { return p }),
		rapid.Map(subscribes(), func(p *packet.Subscribe) coder { return p }),
		rapid.Map(subacks(), func(p *packet.Suback) coder { return p }),
		rapid.Map(unsubscribes(), func(p *packet.Unsubscribe) coder { return p }),
	)
}

// encodedPackets are the bytes of legal packets of all fourteen types.
func encodedPackets() *rapid.Generator[[]byte] {
	return rapid.OneOf(
		rapid.Map(packets(), func(p coder) []byte { return p.AppendTo(nil) }),
		rapid.SampledFrom([][]byte{
			packet.AppendPingreq(nil), packet.AppendPingresp(nil), packet.AppendDisconnect(nil),
		}),
	)
}
