package main

import (
	"sampan/packet"
)

func sampanLimits() *packet.Limits {
	lim := packet.DefaultLimits()
	lim.Types = packet.FromClient
	return &lim
}

func sampanCut(raw []byte) loop {
	lim := sampanLimits()
	return func(n int) error {
		var p packet.Publish
		for range n {
			if p.Cut(raw, lim) != len(raw) {
				return errNotRead
			}
		}
		return check(p.Topic)
	}
}

func sampanCutSame(raw, topic []byte) loop {
	lim := sampanLimits()
	return func(n int) error {
		var p packet.Publish
		for range n {
			if p.CutSame(raw, topic, lim) != len(raw) {
				return errNotRead
			}
		}
		return check(p.Topic)
	}
}

func sampanPublish(raw []byte) loop {
	lim := sampanLimits()
	return func(n int) error {
		var p packet.Publish
		for range n {
			f, _, _, err := packet.Next(raw, lim)
			if err != nil {
				return err
			}
			if err := p.Decode(f, lim); err != nil {
				return err
			}
		}
		return check(p.Topic)
	}
}

func sampanPublishReader(raw []byte) loop {
	lim := sampanLimits()
	r := packet.NewReader(&replay{raw: raw}, lim)
	return func(n int) error {
		var p packet.Publish
		for range n {
			f, err := r.Next()
			if err != nil {
				return err
			}
			if err := p.Decode(f, lim); err != nil {
				return err
			}
		}
		return check(p.Topic)
	}
}

func sampanConnect(raw []byte) loop {
	lim := packet.DefaultLimits()
	return func(n int) error {
		var c packet.Connect
		for range n {
			f, _, _, err := packet.Next(raw, &lim)
			if err != nil {
				return err
			}
			if err := c.Decode(f, &lim); err != nil {
				return err
			}
		}
		return check(c.ClientID)
	}
}

// It is not inlined into its caller: there the compiler loses sight of the loop's
// body and puts it on the heap.
//
//go:noinline
func sampanSubscribe(raw []byte) loop {
	lim := sampanLimits()
	return func(n int) error {
		var s packet.Subscribe
		var last []byte
		for range n {
			f, _, _, err := packet.Next(raw, lim)
			if err != nil {
				return err
			}
			if err := s.Decode(f, lim); err != nil {
				return err
			}
			for filter := range s.All() {
				last = filter
			}
		}
		return check(last)
	}
}

func sampanPuback(raw []byte) loop {
	lim := sampanLimits()
	return func(n int) error {
		var a packet.Ack
		for range n {
			f, _, _, err := packet.Next(raw, lim)
			if err != nil {
				return err
			}
			if err := a.Decode(f, lim); err != nil {
				return err
			}
		}
		if a.ID == 0 {
			return errNotRead
		}
		return nil
	}
}

func sampanCutPuback(raw []byte) loop {
	return func(n int) error {
		var last uint16
		for range n {
			id, size := packet.CutPuback(raw)
			if size == 0 {
				return errNotRead
			}
			last = id
		}
		if last == 0 {
			return errNotRead
		}
		return nil
	}
}

func sampanAppendPublish(p *packet.Publish) loop {
	dst := make([]byte, 0, p.Size())
	return func(n int) error {
		for range n {
			dst = p.AppendTo(dst[:0])
		}
		return check(dst)
	}
}

func sampanAppendPuback(id uint16) loop {
	dst := make([]byte, 0, 4)
	return func(n int) error {
		for range n {
			dst = packet.AppendPuback(dst[:0], id)
		}
		return check(dst)
	}
}
