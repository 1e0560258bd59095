package psk

import (
	"bytes"
	"testing"

	"sampan/internal/ceiling"
	"sampan/tlsconf/psk/internal/seal"
	"sampan/tlsconf/psk/internal/wire"
)

// The flights of a handshake, for FuzzHandshake: whose it is, and which of its writes.
var flights = []struct {
	toServer bool
	number   int
}{{true, 1}, {false, 1}, {true, 2}, {false, 2}}

// FuzzHandshake puts any bytes in the place of one flight of a handshake: the client's hello, the server's
// answer, the key exchange and Finished, the server's Finished. The side that gets them never completes the
// handshake, unless they are what was to be sent, reads no more than its bound, and ends.
func FuzzHandshake(f *testing.F) {
	f.Fuzz(func(t *testing.T, suite, flight byte, sent []byte) {
		defer ceiling.Bytes(ceiling.Lots + 64*len(sent)).Hold(t)()
		v := tamperVariants[int(suite)%len(tamperVariants)]
		at := flights[int(flight)%len(flights)]
		same := false
		_, _, clientErr, serverErr := pair(v.client(), serverConfig(), func(toServer, toClient *stream) {
			s, writes := toClient, 0
			if at.toServer {
				s = toServer
			}
			s.filter = func(b []byte) []byte {
				if writes++; writes == at.number {
					same = bytes.Equal(said(b), said(sent))
					// Nothing follows: the other side must not be waited for.
					defer func() { s.closed = true; s.arrived.Broadcast() }()
					return sent
				}
				return b
			}
		})
		err := clientErr
		if at.toServer {
			err = serverErr
		}
		if err == nil && !same {
			t.Fatalf("%v: the handshake was completed with %x in the place of flight %+v", v, sent, at)
		}
	})
}

// said is what the records of a flight mean: the handshake messages without their framing and without
// warnings in between, and what is protected as it is.
func said(flight []byte) (meaning []byte) {
	for len(flight) >= recordHeaderLen {
		end := recordHeaderLen + int(flight[3])<<8 + int(flight[4])
		if end > len(flight) {
			break
		}
		switch flight[0] {
		case recordHandshake:
			meaning = append(meaning, flight[recordHeaderLen:end]...)
		case recordAlert:
		default:
			return append(append(meaning, flight[0]), flight[recordHeaderLen:]...)
		}
		flight = flight[end:]
	}
	return append(meaning, flight...)
}

// FuzzInsider is a client that has the key and says what it likes under its protection, in the place of
// Finished: one record of a type and content that are the fuzzer's. The server completes only for the right
// Finished.
func FuzzInsider(f *testing.F) {
	f.Fuzz(func(t *testing.T, suite, typ byte, content []byte, changeCipherSpec bool) {
		defer ceiling.Bytes(ceiling.Lots + 64*len(content)).Hold(t)()
		if len(content) > seal.MaxPlaintext {
			return
		}
		v := tamperVariants[int(suite)%len(tamperVariants)]
		var finished []byte
		err := enter(t, v, func(t *testing.T, in insider) {
			finished = wire.AppendFinished(nil, in.verifyData(clientFinished))
			if changeCipherSpec {
				in.switchKeys()
			}
			in.say(typ, content)
			in.flush()
		})
		if err == nil && !(changeCipherSpec && typ == recordHandshake && bytes.Equal(content, finished)) {
			t.Fatalf("%v: the handshake was completed with record type %d, %x", v, typ, content)
		}
	})
}
