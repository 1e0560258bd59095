package main

import (
	"bytes"
	"io"
	"log/slog"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// mochiClient makes a client of mochi's server on a connection of ours.
func mochiClient(conn *replay) *mqtt.Client {
	s := mqtt.New(&mqtt.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	c := s.NewClient(conn, "peers", "peers", false)
	c.Properties.ProtocolVersion = 4
	return c
}

// mochiAlias decodes bytes that lie in memory; decode is the packet's decoder.
func mochiAlias(raw []byte, decode func(*packets.Packet, []byte) error, validate bool) loop {
	return func(n int) error {
		var r bytes.Reader
		for range n {
			pk := packets.Packet{ProtocolVersion: 4}
			if err := pk.FixedHeader.Decode(raw[0]); err != nil {
				return err
			}
			r.Reset(raw[1:])
			rem, size, err := packets.DecodeLength(&r)
			if err != nil {
				return err
			}
			pk.FixedHeader.Remaining = rem
			if err := decode(&pk, raw[1+size:1+size+rem]); err != nil {
				return err
			}
			if validate && pk.PublishValidate(0).Code != packets.CodeSuccess.Code {
				return errNotRead
			}
		}
		return nil
	}
}

// mochiRead is what its server does for each packet that comes in.
func mochiRead(raw []byte) loop {
	c := mochiClient(&replay{raw: raw})
	return func(n int) error {
		for range n {
			var fh packets.FixedHeader
			if err := c.ReadFixedHeader(&fh); err != nil {
				return err
			}
			if _, err := c.ReadPacket(&fh); err != nil {
				return err
			}
		}
		return nil
	}
}

// mochiPacket is raw as mochi's own value.
func mochiPacket(raw []byte, decode func(*packets.Packet, []byte) error) (*packets.Packet, error) {
	pk := &packets.Packet{ProtocolVersion: 4}
	if err := pk.FixedHeader.Decode(raw[0]); err != nil {
		return nil, err
	}
	rem, size, err := packets.DecodeLength(bytes.NewReader(raw[1:]))
	if err != nil {
		return nil, err
	}
	pk.FixedHeader.Remaining = rem
	return pk, decode(pk, raw[1+size:])
}

func mochiEncode(pk *packets.Packet, encode func(*packets.Packet, *bytes.Buffer) error) loop {
	return func(n int) error {
		var buf bytes.Buffer
		for range n {
			buf.Reset()
			if err := encode(pk, &buf); err != nil {
				return err
			}
		}
		return check(buf.Bytes())
	}
}

func mochiWrite(pk *packets.Packet, deliver bool) loop {
	to := &replay{}
	c := mochiClient(to)
	return func(n int) error {
		before := to.written
		for range n {
			out := *pk
			if deliver {
				out = pk.Copy(false)
				out.PacketID = pk.PacketID
				out.FixedHeader.Qos = pk.FixedHeader.Qos
			}
			if err := c.WritePacket(out); err != nil {
				return err
			}
		}
		if to.written-before < n*(1+pk.FixedHeader.Remaining) {
			return errNotWritten
		}
		return nil
	}
}
