package main

import (
	"io"
	"net"
	"testing"

	"sampan/packet"
)

// A broker that closes right behind the last message that --count asks for does not make a failure of it.
func TestSubIsContentWithItsCount(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() { // ends with the listener
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			if err := oneMessage(c); err != nil {
				t.Error(err)
			}
			c.Close()
		}
	}()
	for range 60 { // what is noticed first is chance
		c := subCommand()
		c.SetArgs([]string{"--url", "mqtt://" + ln.Addr().String(), "--topic", "t", "--count", "1"})
		c.SilenceErrors, c.SilenceUsage = true, true
		c.SetOut(io.Discard)
		if err := c.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// oneMessage serves a client until it has one message, and sends nothing after it.
func oneMessage(c net.Conn) error {
	r := packet.NewReader(c, nil)
	if _, err := r.Next(); err != nil {
		return err
	}
	if _, err := c.Write(new(packet.Connack).AppendTo(nil)); err != nil {
		return err
	}
	f, err := r.Next()
	if err != nil {
		return err
	}
	var s packet.Subscribe
	if err := s.Decode(f, nil); err != nil {
		return err
	}
	answer := (&packet.Suback{ID: s.ID, Codes: []byte{0}}).AppendTo(nil)
	answer = (&packet.Publish{Topic: []byte("t"), Payload: []byte("x")}).AppendTo(answer)
	if _, err := c.Write(answer); err != nil {
		return err
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	io.Copy(io.Discard, c) // until the client is gone
	return nil
}
