package packet_test

import (
	"fmt"
	"os"

	"sampan/packet"
)

// A server reads what a device sent: frames are cut off a buffer and decoded
// according to their type, under the restrictions of the platform.
func Example() {
	received := (&packet.Publish{
		Topic: []byte("/pk/dn/update"), Payload: []byte("21.5"), QoS: 1, ID: 7, Retain: true,
	}).AppendTo(nil)
	received = packet.AppendPingreq(received)
	received = append(received, 0x82, 0x0c) // the beginning of a SUBSCRIBE

	lim := packet.DefaultLimits()
	var reply []byte
	for {
		f, n, need, err := packet.Next(received, &lim)
		if err != nil {
			fmt.Println(err)
			return
		}
		if n == 0 {
			fmt.Printf("%d bytes left, at least %d are missing\n", len(received), need)
			break
		}
		received = received[n:]
		switch f.Type() {
		case packet.TypePublish:
			var p packet.Publish
			if err := p.Decode(f, &lim); err != nil {
				fmt.Println(err)
				return
			}
			fmt.Printf("%s: %s, RETAIN ignored: %v\n", p.Topic, p.Payload, p.Ignored&packet.IgnoredRetain != 0)
			reply = packet.AppendPuback(reply, p.ID)
		case packet.TypePingreq:
			reply = packet.AppendPingresp(reply)
		}
	}
	fmt.Printf("reply: % x\n", reply)
	// Output:
	// /pk/dn/update: 21.5, RETAIN ignored: true
	// 2 bytes left, at least 12 are missing
	// reply: 40 02 00 07 d0 00
}

// A refused packet says which rule it breaks, where, and what to answer.
func ExampleError() {
	lim := packet.DefaultLimits()
	for _, raw := range []string{
		"\x10\x0d\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x00", // a client of MQTT 5
		"\x30\x09\x00\x07sport/#",                          // a wildcard in a topic name
		"\x30\xff\xff\xff\x7f",                             // 256 MB, of which nothing has come
	} {
		f, _, _, err := packet.Next([]byte(raw), &lim)
		if err == nil {
			switch f.Type() {
			case packet.TypeConnect:
				err = new(packet.Connect).Decode(f, &lim)
			case packet.TypePublish:
				err = new(packet.Publish).Decode(f, &lim)
			}
		}
		e := err.(*packet.Error)
		fmt.Println(e)
		if code, ok := e.Connack(); ok {
			fmt.Println("  answered by CONNACK:", code)
		}
	}
	// Output:
	// CONNECT: protocol level: the protocol level is not accepted (MQTT-3.1.2-2) at byte 8: 5, limit 4
	//   answered by CONNACK: unacceptable protocol level
	// PUBLISH: topic name: the topic name contains a wildcard (MQTT-3.3.2-2) at byte 10: 35
	// PUBLISH: remaining length: the packet is larger than its limit (IOT-PACKET-SIZE) at byte 1: 268435455, limit 262276
}

// SUBSCRIBE is answered with one code for each filter.
func ExampleSubscribe() {
	request := packet.Subscribe{ID: 10}
	request.Add([]byte("/pk/dn/get"), 0)
	request.Add([]byte("/sys/pk/dn/rrpc/request/+"), 2)
	request.Add([]byte("/1/2/3/4/5/6/7/8"), 1)

	lim := packet.DefaultLimits()
	f, _, _, _ := packet.Next(request.AppendTo(nil), &lim)
	var s packet.Subscribe
	if err := s.Decode(f, &lim); err != nil {
		fmt.Println(err)
		return
	}
	answer := packet.Suback{ID: s.ID}
	for _, qos := range s.All() {
		if qos == packet.SubackFailure {
			fmt.Println(s.Refusal(len(answer.Codes)))
		}
		answer.Codes = append(answer.Codes, qos)
	}
	fmt.Printf("% x\n", answer.AppendTo(nil))
	// Output:
	// SUBSCRIBE: topic filter: a topic name or filter has more slashes than its limit (IOT-TOPIC-LEVELS) at byte 47: 8, limit 7
	// 90 05 00 0a 00 01 80
}

// A Reader takes frames from anything with a Read method.
func ExampleReader() {
	from, to, err := os.Pipe()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer from.Close()
	go func() {
		defer to.Close()
		to.Write((&packet.Connack{SessionPresent: true}).AppendTo(nil))
		to.Write(packet.AppendPuback(nil, 1))
	}()

	r := packet.NewReader(from, &packet.Limits{Types: packet.FirstFromServer})
	f, err := r.Next()
	if err != nil {
		fmt.Println(err)
		return
	}
	var c packet.Connack
	if err := c.Decode(f, nil); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Code, c.SessionPresent)
	r.SetLimits(&packet.Limits{Types: packet.FromServer})
	for {
		f, err := r.Next()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(f.Type())
	}
	// Output:
	// accepted true
	// PUBACK
	// EOF
}
