package script

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"sampan/fuzz/model"
)

// Calls of the program in whose process the broker is: as a line, and as bytes.
//
//	host publish a/b q1 "m1"
//	    host < 1
//	host deliver alice a/b q0 "m2"
//	host discard bob

// hosts are the words for what the program does.
var hosts = [model.Verbs]string{
	model.HostPublish: "publish", model.HostDeliver: "deliver", model.HostOffer: "offer", model.HostSubscribe: "subscribe",
	model.HostUnsubscribe: "unsubscribe", model.HostDisconnect: "disconnect", model.HostDiscard: "discard",
}

// nobody stands for a client without a name, and is none.
const nobody = "nobody"

func hostText(c *model.Call) string {
	s := "host " + hosts[c.Verb]
	if c.Verb != model.HostPublish {
		s += " " + word([]byte(c.Client))
	}
	switch c.Verb {
	case model.HostPublish, model.HostDeliver, model.HostOffer:
		s += fmt.Sprintf(" %s q%d %s", word([]byte(c.Topic)), c.QoS, strconv.Quote(c.Payload))
	case model.HostSubscribe:
		s += fmt.Sprintf(" %s q%d", word([]byte(c.Topic)), c.QoS)
	case model.HostUnsubscribe:
		s += " " + word([]byte(c.Topic))
	}
	return s
}

// host is hostText the other way round, behind the first word.
func (r *reader) host() *model.Call {
	verb := slices.Index(hosts[:], r.word())
	if verb < 0 {
		r.err = errWords
		return nil
	}
	c := &model.Call{Verb: model.Verb(verb)}
	if c.Verb != model.HostPublish {
		c.Client = r.word()
	}
	switch c.Verb {
	case model.HostPublish, model.HostDeliver, model.HostOffer:
		c.Topic, c.QoS, c.Payload = r.word(), r.qos(), r.word()
	case model.HostSubscribe:
		if c.Topic, c.QoS = r.word(), r.qos(); c.QoS > 1 {
			r.err = errWords
		}
	case model.HostUnsubscribe:
		c.Topic = r.word()
	}
	return c
}

// host makes a call of bytes.
func (d *decoder) host(client int) *model.Call {
	c := &model.Call{Verb: model.Verb(d.next()) & 7 % model.Verbs}
	if c.Verb != model.HostPublish {
		c.Client = cmp.Or(clients[client], nobody)
	}
	switch c.Verb {
	case model.HostPublish, model.HostDeliver, model.HostOffer:
		p, _ := d.message(len(d.s.Steps) + 1)
		c.Topic, c.QoS, c.Payload = string(p.Topic), p.QoS, string(p.Payload)
	case model.HostSubscribe:
		b := d.next()
		c.Topic, c.QoS = filterOf(b), b>>6&1
	case model.HostUnsubscribe:
		c.Topic = filterOf(d.next())
	case model.HostDisconnect, model.HostDiscard:
		d.connected[client] = false
	}
	return c
}

// encodeHost finds the bytes of a call. nil: there are none.
func encodeHost(c *model.Call, good func(...byte) bool) []byte {
	client := max(0, slices.Index(clients[:], c.Client))
	if c.Client == nobody {
		client = slices.Index(clients[:], "")
	}
	op := []byte{byte(client)<<4 | opHost, byte(c.Verb)}
	switch c.Verb {
	case model.HostPublish, model.HostDeliver, model.HostOffer:
		for t := range topics {
			for b := range 256 {
				if good(op[0], op[1], byte(t), byte(b)) {
					return append(op, byte(t), byte(b))
				}
			}
		}
	case model.HostSubscribe, model.HostUnsubscribe:
		for b := range 256 {
			if good(op[0], op[1], byte(b)) {
				return append(op, byte(b))
			}
		}
	default:
		if good(op...) {
			return op
		}
	}
	return nil
}

// sameCall compares two calls but for the payload that the decoder numbers.
func sameCall(a, b model.Call) bool {
	same := numberlessSize(len(a.Payload)) == numberlessSize(len(b.Payload))
	a.Payload, b.Payload = "", ""
	return same && a == b
}
