package psk

import (
	"bytes"
	"testing"

	"sampan/tlsconf/psk/internal/wire"
)

// insider is a client that has the key and does the handshake by hand up to
// its own Finished, so that it can spoil what only a holder of the key can
// send.
type insider struct {
	*handshake
	keysOf protection
}

// enter runs an insider against a server and returns the server's error. end
// sends what stands in place of the last flight.
func enter(t *testing.T, v variant, end func(t *testing.T, in insider)) error {
	t.Helper()
	c, s, _, _ := pipe()
	server := Server(s, serverConfig())
	failed := make(chan error)
	go func() { failed <- server.Handshake() }()

	conn := Client(c, v.client())
	h := &handshake{c: conn, config: conn.config, transcript: newTranscript()}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(conn.config.init())
	hello, err := h.sendClientHello()
	must(err)
	must(h.readServerHello(hello))
	group, point, _, err := h.readServerKeyExchange()
	must(err)
	exchange := wire.ClientKeyExchange{Identity: conn.config.Identity}
	var agreed []byte
	if group != nil {
		key, err := group.generate(conn.config.random())
		must(err)
		agreed = group.agree(key, point)
		exchange.Point = key.PublicKey().Bytes()
	}
	must(h.add(exchange.Append(nil)))
	keys, err := h.keys(premaster(agreed, testKey))
	must(err)
	end(t, insider{h, keys})
	c.out.Close()
	return <-failed
}

// switchKeys sends the key exchange and change_cipher_spec, and from there on
// protects.
func (in insider) switchKeys() {
	in.flight, _ = in.c.out.append(in.flight, recordChangeCipherSpec, []byte{1})
	in.c.out.seal = in.keysOf.out
}

func (in insider) say(typ byte, b []byte) {
	in.flight, _ = in.c.out.append(in.flight, typ, b)
}

func TestServerAgainstAClientThatHasTheKey(t *testing.T) {
	for _, v := range tamperVariants {
		for _, c := range []struct {
			name string
			end  func(t *testing.T, in insider)
			want Alert // 0: let in
		}{
			{"as it should be", func(_ *testing.T, in insider) {
				in.switchKeys()
				in.say(recordHandshake, wire.AppendFinished(nil, in.verifyData(clientFinished)))
				in.flush()
			}, 0},
			{"Finished in two records", func(_ *testing.T, in insider) {
				in.switchKeys()
				m := wire.AppendFinished(nil, in.verifyData(clientFinished))
				in.say(recordHandshake, m[:3])
				in.say(recordHandshake, m[3:])
				in.flush()
			}, 0},
			{"wrong Finished", func(_ *testing.T, in insider) {
				in.switchKeys()
				in.say(recordHandshake, wire.AppendFinished(nil, make([]byte, wire.FinishedLen)))
				in.flush()
			}, AlertBadRecordMAC},
			{"the server's Finished", func(_ *testing.T, in insider) {
				in.switchKeys()
				in.say(recordHandshake, wire.AppendFinished(nil, in.verifyData(serverFinished)))
				in.flush()
			}, AlertBadRecordMAC},
			{"short Finished", func(_ *testing.T, in insider) {
				in.switchKeys()
				in.say(recordHandshake, wire.AppendFinished(nil, in.verifyData(clientFinished)[:11]))
				in.flush()
			}, AlertBadRecordMAC},
			{"long Finished", func(_ *testing.T, in insider) {
				in.switchKeys()
				in.say(recordHandshake, wire.AppendFinished(nil, make([]byte, 13)))
				in.flush()
			}, AlertDecodeError},
			{"bytes behind the Finished", func(_ *testing.T, in insider) {
				in.switchKeys()
				in.say(recordHandshake, append(wire.AppendFinished(nil, in.verifyData(clientFinished)), wire.TypeHelloRequest))
				in.flush()
			}, AlertUnexpectedMessage},
			{"bytes behind the key exchange", func(_ *testing.T, in insider) {
				// The Finished begins in the clear, in the same record.
				finished := wire.AppendFinished(nil, in.verifyData(clientFinished))
				in.flight = recordOf(recordHandshake, append(in.flight[recordHeaderLen:], finished[:4]...)...)
				in.switchKeys()
				in.say(recordHandshake, finished[4:])
				in.flush()
			}, AlertUnexpectedMessage},
			{"data before the Finished", func(_ *testing.T, in insider) {
				in.switchKeys()
				in.say(recordApplicationData, []byte("x"))
				in.flush()
			}, AlertUnexpectedMessage},
			{"alert instead of the Finished", func(_ *testing.T, in insider) {
				in.switchKeys()
				in.say(recordAlert, []byte{levelFatal, byte(AlertUserCanceled)})
				in.flush()
			}, AlertUserCanceled},
			{"second change_cipher_spec", func(_ *testing.T, in insider) {
				in.switchKeys()
				in.say(recordChangeCipherSpec, []byte{1})
				in.flush()
			}, AlertUnexpectedMessage},
			{"another hello", func(_ *testing.T, in insider) {
				in.switchKeys()
				in.say(recordHandshake, goodHello()[recordHeaderLen:])
				in.flush()
			}, AlertUnexpectedMessage},
			{"empty Finished record", func(_ *testing.T, in insider) {
				in.switchKeys()
				in.say(recordHandshake, nil)
				in.flush()
			}, AlertUnexpectedMessage},
			{"records numbered from one", func(_ *testing.T, in insider) {
				in.switchKeys()
				in.c.out.append(nil, recordHandshake, []byte("lost"))
				in.say(recordHandshake, wire.AppendFinished(nil, in.verifyData(clientFinished)))
				in.flush()
			}, AlertBadRecordMAC},
			{"without protection", func(_ *testing.T, in insider) {
				in.flight, _ = in.c.out.append(in.flight, recordChangeCipherSpec, []byte{1})
				in.say(recordHandshake, wire.AppendFinished(nil, in.verifyData(clientFinished)))
				in.flush()
			}, AlertBadRecordMAC},
		} {
			t.Run(v.String()+"/"+c.name, func(t *testing.T) {
				err := enter(t, v, c.end)
				if c.want == 0 {
					if err != nil {
						t.Error(err)
					}
					return
				}
				wantAlert(t, err, c.want, c.want == AlertUserCanceled)
			})
		}
	}
}

// The key exchange decides the keys with the extended master secret: who
// changes it on the way is found out by the first protected record, not only
// by the Finished message.
func TestTranscriptIsBound(t *testing.T) {
	for _, v := range tamperVariants {
		seen := 0
		_, _, clientErr, serverErr := pair(v.client(), serverConfig(), func(toServer, _ *stream) {
			toServer.filter = func(b []byte) []byte {
				if seen++; seen == 1 {
					return grown(b)
				}
				return b
			}
		})
		if clientErr == nil || serverErr == nil {
			t.Errorf("%v: client %v, server %v", v, clientErr, serverErr)
		}
		wantAlert(t, serverErr, AlertBadRecordMAC, false)
	}
}

// grown adds an extension nobody knows to a ClientHello record.
func grown(record []byte) []byte {
	var m wire.ClientHello
	if m.Decode(record[recordHeaderLen+wire.HeaderLen:]) != nil {
		panic("not a hello")
	}
	body := bytes.Clone(record[recordHeaderLen+wire.HeaderLen:])
	at := len(body)
	// The extension block's length stands right behind the compression methods.
	block := 2 + wire.RandomLen + 1 + len(m.SessionID) + 2 + len(m.Suites) + 1 + len(m.Compression)
	n := int(body[block])<<8 | int(body[block+1])
	if block+2+n != at {
		panic("no extension block")
	}
	body[block], body[block+1] = byte((n+4)>>8), byte(n+4)
	return handshakeOf(wire.TypeClientHello, append(body, 0x12, 0x34, 0, 0)...)
}
