package psk

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"sampan/tlsconf/psk/internal/wire"
)

// raw is a peer made by hand: bytes in, bytes out.

func recordOf(typ byte, body ...byte) []byte {
	return append([]byte{typ, 3, 3, byte(len(body) >> 8), byte(len(body))}, body...)
}

func handshakeOf(typ byte, body ...byte) []byte {
	return recordOf(recordHandshake, append([]byte{typ, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)...)
}

func be16(values ...uint16) (b []byte) {
	for _, v := range values {
		b = append(b, byte(v>>8), byte(v))
	}
	return b
}

// goodHello is a ClientHello the server accepts with a plain PSK suite; change
// may spoil it.
func goodHello(change ...func(*wire.ClientHello)) []byte {
	m := wire.ClientHello{
		Version:     wire.Version12,
		Random:      make([]byte, wire.RandomLen),
		Suites:      be16(TLS_PSK_WITH_AES_128_CBC_SHA),
		Compression: []byte{0},
	}
	for _, c := range change {
		c(&m)
	}
	return recordOf(recordHandshake, m.Append(nil)...)
}

// helloWith is goodHello with raw extensions appended.
func helloWith(extensions ...byte) []byte {
	message := goodHello()[recordHeaderLen:]
	body := append(message[wire.HeaderLen:], byte(len(extensions)>>8), byte(len(extensions)))
	return handshakeOf(wire.TypeClientHello, append(body, extensions...)...)
}

func extension(typ uint16, body ...byte) []byte {
	return append(be16(typ, uint16(len(body))), body...)
}

var (
	goodExchange  = handshakeOf(wire.TypeClientKeyExchange, append(be16(uint16(len(testIdentity))), testIdentity...)...)
	goodCCS       = recordOf(recordChangeCipherSpec, 1)
	someFinished  = recordOf(recordHandshake, make([]byte, 64)...) // does not verify
	plainFinished = handshakeOf(wire.TypeFinished, make([]byte, wire.FinishedLen)...)
)

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// serve feeds bytes to a server and then ends the stream; it returns the
// server's error and its answer.
func serve(config *Config, input []byte) (server *Conn, answer []byte, err error) {
	client, s, _, toClient := pipe()
	client.Write(input)
	client.out.Close()
	server = Server(s, config)
	err = server.Handshake()
	return server, toClient.data, err
}

func TestServerAnswersEachWrongByteSequence(t *testing.T) {
	hello := goodHello()
	manyExtensions := func(n int) (b []byte) {
		for i := range n {
			b = append(b, extension(uint16(1000+i))...)
		}
		return b
	}
	warning := recordOf(recordAlert, levelWarning, byte(AlertUserCanceled))
	for _, c := range []struct {
		name  string
		input []byte
		want  Alert
	}{
		// Not TLS, or not ours.
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), AlertUnexpectedMessage},
		{"MQTT", []byte{0x10, 0x0c, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 0}, AlertUnexpectedMessage},
		{"SSL 2 hello", []byte{0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10}, AlertUnexpectedMessage},
		{"record type 19", recordOf(19, 1), AlertUnexpectedMessage},
		{"record type 24 (heartbeat)", recordOf(24, 1, 0x40, 0), AlertUnexpectedMessage},
		{"record version 2.0", []byte{recordHandshake, 2, 0, 0, 1, 1}, AlertProtocolVersion},
		{"SSL 3", goodHello(func(m *wire.ClientHello) { m.Version = 0x0300 }), AlertProtocolVersion},
		{"TLS 1.0", goodHello(func(m *wire.ClientHello) { m.Version = 0x0301 }), AlertProtocolVersion},
		{"TLS 1.1", goodHello(func(m *wire.ClientHello) { m.Version = 0x0302 }), AlertProtocolVersion},
		{"TLS 1.3 only", goodHello(func(m *wire.ClientHello) { m.Versions = be16(0x0304) }), AlertProtocolVersion},
		{"no suite in common", goodHello(func(m *wire.ClientHello) { m.Suites = be16(0x1301, 0xc02f, 0x002f) }), AlertHandshakeFailure},
		{"ECDHE without groups", goodHello(func(m *wire.ClientHello) { m.Suites = be16(TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256) }), AlertHandshakeFailure},
		{"ECDHE with unknown groups", goodHello(func(m *wire.ClientHello) {
			m.Suites, m.Groups = be16(TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256), be16(0x1a1a, 256)
		}), AlertHandshakeFailure},
		{"ECDHE with compressed points only", goodHello(func(m *wire.ClientHello) {
			m.Suites, m.Groups, m.Points = be16(TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256), be16(23), []byte{1, 2}
		}), AlertHandshakeFailure},
		{"compression only", goodHello(func(m *wire.ClientHello) { m.Compression = []byte{1} }), AlertIllegalParameter},

		// Ill-formed hellos.
		{"no suites", goodHello(func(m *wire.ClientHello) { m.Suites = nil }), AlertDecodeError},
		{"odd suites", goodHello(func(m *wire.ClientHello) { m.Suites = []byte{0, 0x8c, 0} }), AlertDecodeError},
		{"no compression methods", goodHello(func(m *wire.ClientHello) { m.Compression = nil }), AlertDecodeError},
		{"session id of 33 bytes", goodHello(func(m *wire.ClientHello) { m.SessionID = make([]byte, 33) }), AlertDecodeError},
		{"random cut", handshakeOf(wire.TypeClientHello, append(be16(0x0303), make([]byte, 31)...)...), AlertDecodeError},
		{"byte behind the extensions", handshakeOf(wire.TypeClientHello, append(goodHello()[9:], 0, 0, 0)...), AlertDecodeError},
		{"extension longer than the block", helloWith(0, 22, 0, 9), AlertDecodeError},
		{"half an extension", helloWith(0, 22, 0), AlertDecodeError},
		{"extension twice", helloWith(append(extension(22), extension(22)...)...), AlertIllegalParameter},
		{"unknown extension twice", helloWith(append(extension(4711), extension(4711)...)...), AlertIllegalParameter},
		{"65 extensions", helloWith(manyExtensions(65)...), AlertIllegalParameter},
		{"encrypt_then_mac with a body", helloWith(extension(22, 0)...), AlertDecodeError},
		{"extended_master_secret with a body", helloWith(extension(23, 0)...), AlertDecodeError},
		{"renegotiation_info not empty", helloWith(extension(0xff01, 2, 7, 7)...), AlertHandshakeFailure},
		{"renegotiation_info cut", helloWith(extension(0xff01, 2, 7)...), AlertDecodeError},
		{"renegotiation_info without length", helloWith(extension(0xff01)...), AlertDecodeError},
		{"max_fragment_length 0", helloWith(extension(1, 0)...), AlertIllegalParameter},
		{"max_fragment_length 5", helloWith(extension(1, 5)...), AlertIllegalParameter},
		{"max_fragment_length of two bytes", helloWith(extension(1, 1, 1)...), AlertDecodeError},
		{"max_fragment_length empty", helloWith(extension(1)...), AlertDecodeError},
		{"supported_groups empty", helloWith(extension(10, 0, 0)...), AlertDecodeError},
		{"supported_groups odd", helloWith(extension(10, 0, 3, 0, 29, 0)...), AlertDecodeError},
		{"ec_point_formats empty", helloWith(extension(11, 0)...), AlertDecodeError},
		{"supported_versions empty", helloWith(extension(43, 0)...), AlertDecodeError},
		{"supported_versions odd", helloWith(extension(43, 3, 3, 3, 3)...), AlertDecodeError},

		// Sizes.
		{"record of 2^14+1", append([]byte{recordHandshake, 3, 1, 0x40, 1}, make([]byte, 0x4001)...), AlertRecordOverflow},
		{"record of 65535", []byte{recordHandshake, 3, 1, 0xff, 0xff}, AlertRecordOverflow},
		{"hello of 2^24-1", recordOf(recordHandshake, wire.TypeClientHello, 0xff, 0xff, 0xff), AlertDecodeError},
		{"hello over its limit", recordOf(recordHandshake, wire.TypeClientHello, 0, 0x20, 1), AlertDecodeError},
		{"identity over the limit", join(hello, handshakeOf(wire.TypeClientKeyExchange, append(be16(MaxIdentity+1), make([]byte, MaxIdentity+1)...)...)), AlertIllegalParameter},
		{"key exchange over its limit", join(hello, recordOf(recordHandshake, wire.TypeClientKeyExchange, 0, 4, 0)), AlertDecodeError},
		{"Finished over its limit", join(hello, goodExchange, goodCCS, someFinished), AlertBadRecordMAC},

		// Empty records.
		{"empty handshake record", recordOf(recordHandshake), AlertUnexpectedMessage},
		{"empty alert", recordOf(recordAlert), AlertUnexpectedMessage},
		{"empty change_cipher_spec", join(hello, goodExchange, recordOf(recordChangeCipherSpec)), AlertUnexpectedMessage},
		{"empty data before the handshake", recordOf(recordApplicationData), AlertUnexpectedMessage},

		// Wrong order.
		{"data first", recordOf(recordApplicationData, 1, 2, 3), AlertUnexpectedMessage},
		{"change_cipher_spec first", goodCCS, AlertUnexpectedMessage},
		{"ServerHello to a server", handshakeOf(wire.TypeServerHello, make([]byte, 38)...), AlertUnexpectedMessage},
		{"HelloRequest to a server", handshakeOf(wire.TypeHelloRequest), AlertUnexpectedMessage},
		{"certificate", handshakeOf(11, 0, 0, 0), AlertUnexpectedMessage},
		{"key exchange first", goodExchange, AlertUnexpectedMessage},
		{"Finished first", plainFinished, AlertUnexpectedMessage},
		{"second hello", join(hello, hello), AlertUnexpectedMessage},
		{"change_cipher_spec before key exchange", join(hello, goodCCS), AlertUnexpectedMessage},
		{"Finished instead of key exchange", join(hello, plainFinished), AlertUnexpectedMessage},
		{"data instead of key exchange", join(hello, recordOf(recordApplicationData, 1)), AlertUnexpectedMessage},
		{"Finished without change_cipher_spec", join(hello, goodExchange, plainFinished), AlertUnexpectedMessage},
		{"key exchange twice", join(hello, goodExchange, goodExchange), AlertUnexpectedMessage},
		{"change_cipher_spec inside the key exchange", join(hello, recordOf(recordHandshake, goodExchange[5:20]...), goodCCS,
			recordOf(recordHandshake, goodExchange[20:]...)), AlertUnexpectedMessage},
		{"plain Finished after change_cipher_spec", join(hello, goodExchange, goodCCS, plainFinished), AlertBadRecordMAC},
		{"second change_cipher_spec", join(hello, goodExchange, goodCCS, goodCCS), AlertBadRecordMAC},
		{"plain alert after change_cipher_spec", join(hello, goodExchange, goodCCS, warning), AlertBadRecordMAC},
		{"change_cipher_spec of two bytes", join(hello, goodExchange, recordOf(recordChangeCipherSpec, 1, 1)), AlertDecodeError},
		{"change_cipher_spec of value 2", join(hello, goodExchange, recordOf(recordChangeCipherSpec, 2)), AlertDecodeError},
		{"alert of one byte", recordOf(recordAlert, 1), AlertDecodeError},
		{"alert of three bytes", recordOf(recordAlert, 1, 0, 0), AlertDecodeError},
		{"alert of level 3", recordOf(recordAlert, 3, 0x50), AlertIllegalParameter},
		{"a flood of warnings", bytes.Repeat(warning, 40), AlertUnexpectedMessage},

		// Key exchange of the wrong form.
		{"identity longer than the message", join(hello, handshakeOf(wire.TypeClientKeyExchange, 0, 9, 'x')), AlertDecodeError},
		{"byte behind the identity", join(hello, handshakeOf(wire.TypeClientKeyExchange, 0, 1, 'x', 0)), AlertDecodeError},
		{"key exchange empty", join(hello, handshakeOf(wire.TypeClientKeyExchange)), AlertDecodeError},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, answer, err := serve(serverConfig(), c.input)
			wantAlert(t, err, c.want, false)
			if end := recordOf(recordAlert, levelFatal, byte(c.want)); !bytes.HasSuffix(answer, end) {
				t.Errorf("answer %x does not end with %x", answer, end)
			}
			if server.ConnectionState().HandshakeComplete {
				t.Error("handshake complete")
			}
			if held := len(server.in.buf); held > 2*max(len(c.input), smallBuffer) {
				t.Errorf("%d bytes sent, %d held", len(c.input), held)
			}
		})
	}
}

func TestHandshakeIsBoundedInBytes(t *testing.T) {
	input := goodHello(func(m *wire.ClientHello) { m.Suites = be16(make([]uint16, 30)...) })
	config := serverConfig()
	config.MaxHandshakeBytes = len(input)
	_, _, err := serve(config, input)
	wantAlert(t, err, AlertHandshakeFailure, false) // all of it was read
	config = serverConfig()
	config.MaxHandshakeBytes = len(input) - 1
	_, _, err = serve(config, input[:recordHeaderLen]) // the header is enough
	wantAlert(t, err, AlertRecordOverflow, false)
	// The smallest records there are: the bound counts their headers too.
	_, _, err = serve(serverConfig(), bytes.Repeat(recordOf(recordHandshake, wire.TypeClientHello), 1))
	if err != io.ErrUnexpectedEOF {
		t.Error(err)
	}
	drip := recordOf(recordHandshake, wire.TypeClientHello, 0, 0x1f, 0)
	_, _, err = serve(serverConfig(), append(drip, bytes.Repeat(recordOf(recordHandshake, 0), 5000)...))
	wantAlert(t, err, AlertRecordOverflow, false)
}

func TestServerIsToldByAlert(t *testing.T) {
	_, answer, err := serve(serverConfig(), join(goodHello(), recordOf(recordAlert, levelFatal, byte(AlertHandshakeFailure))))
	wantAlert(t, err, AlertHandshakeFailure, true)
	if bytes.Contains(answer, []byte{recordAlert, 3, 3}) {
		t.Errorf("an alert was answered with an alert: %x", answer)
	}
	_, _, err = serve(serverConfig(), recordOf(recordAlert, levelWarning, byte(AlertCloseNotify)))
	wantAlert(t, err, AlertCloseNotify, true)
	_, _, err = serve(serverConfig(), join(goodHello(), recordOf(recordAlert, levelWarning, byte(AlertNoRenegotiation))))
	wantAlert(t, err, AlertNoRenegotiation, true)
}

// Unknown extensions, unknown and reserved suite values, and the offer of TLS
// 1.3 beside 1.2 change nothing.
func TestServerIgnoresWhatItDoesNotKnow(t *testing.T) {
	for name, input := range map[string][]byte{
		"no extensions":     goodHello(),
		"empty block":       helloWith(),
		"unknown extension": helloWith(extension(0x0a0a, 1, 2, 3)...),
		"64 extensions": helloWith(func() (b []byte) {
			for i := range 64 {
				b = append(b, extension(uint16(2000+i), 1)...)
			}
			return
		}()...),
		"server_name":        helloWith(extension(0, 0, 4, 0, 0, 1, 'x')...),
		"session_ticket":     helloWith(extension(35)...),
		"TLS 1.3 beside 1.2": goodHello(func(m *wire.ClientHello) { m.Versions = be16(0x0304, 0x0303) }),
		"version 3.4":        goodHello(func(m *wire.ClientHello) { m.Version = 0x0304 }),
		"reserved suites":    goodHello(func(m *wire.ClientHello) { m.Suites = be16(0x0a0a, 0x5600, 0xffff, TLS_PSK_WITH_AES_128_CBC_SHA) }),
		"session id":         goodHello(func(m *wire.ClientHello) { m.SessionID = make([]byte, 32) }),
		"deflate offered":    goodHello(func(m *wire.ClientHello) { m.Compression = []byte{1, 0} }),
		"warnings before":    join(recordOf(recordAlert, levelWarning, byte(AlertUserCanceled)), goodHello()),
	} {
		_, answer, err := serve(serverConfig(), input)
		if err != io.ErrUnexpectedEOF { // it waits for the key exchange
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.HasSuffix(answer, handshakeOf(wire.TypeServerHelloDone)) {
			t.Errorf("%s: answer %x", name, answer)
		}
	}
}

// The server answers exactly the extensions it was offered, RFC 5246 section
// 7.4.1.4, and none with an AEAD suite that RFC 7366 rules out.
func TestServerHelloExtensions(t *testing.T) {
	for _, c := range []struct {
		name  string
		input []byte
		want  wire.ServerHello
	}{
		{"nothing", goodHello(), wire.ServerHello{}},
		{"scsv", goodHello(func(m *wire.ClientHello) { m.Suites = be16(TLS_PSK_WITH_AES_128_CBC_SHA, 0x00ff) }), wire.ServerHello{Renegotiation: true}},
		{"renegotiation_info", goodHello(func(m *wire.ClientHello) { m.Renegotiation = true }), wire.ServerHello{Renegotiation: true}},
		{"etm", goodHello(func(m *wire.ClientHello) { m.EncryptThenMAC = true }), wire.ServerHello{EncryptThenMAC: true}},
		{"etm with AEAD", goodHello(func(m *wire.ClientHello) {
			m.EncryptThenMAC, m.Suites = true, be16(TLS_PSK_WITH_AES_128_GCM_SHA256)
		}), wire.ServerHello{}},
		{"ems", goodHello(func(m *wire.ClientHello) { m.ExtendedMasterSecret = true }), wire.ServerHello{ExtendedMasterSecret: true}},
		{"fragment", goodHello(func(m *wire.ClientHello) { m.MaxFragment = 4 }), wire.ServerHello{MaxFragment: 4}},
		{"points with plain PSK", goodHello(func(m *wire.ClientHello) { m.Points = []byte{0} }), wire.ServerHello{}},
		{"points with ECDHE", goodHello(func(m *wire.ClientHello) {
			m.Points, m.Groups, m.Suites = []byte{0}, be16(29), be16(TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA)
		}), wire.ServerHello{Points: []byte{0}}},
	} {
		_, answer, _ := serve(serverConfig(), c.input)
		var got wire.ServerHello
		n := int(answer[3])<<8 | int(answer[4])
		if err := got.Decode(answer[recordHeaderLen+wire.HeaderLen : recordHeaderLen+n]); err != nil {
			t.Fatalf("%s: %v in %x", c.name, err, answer)
		}
		if got.Renegotiation != c.want.Renegotiation || got.EncryptThenMAC != c.want.EncryptThenMAC ||
			got.ExtendedMasterSecret != c.want.ExtendedMasterSecret || got.MaxFragment != c.want.MaxFragment ||
			!slices.Equal(got.Points, c.want.Points) {
			t.Errorf("%s: got %+v", c.name, got)
		}
		if len(got.SessionID) != 0 || got.Compression != 0 || got.Version != wire.Version12 {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
}

// Points that are not on the curve, or that make the secret zero.
func TestServerRefusesBadPoints(t *testing.T) {
	for name, c := range map[string]struct {
		group uint16
		point []byte
	}{
		"x25519 zero":         {29, make([]byte, 32)},
		"x25519 short":        {29, make([]byte, 31)},
		"p256 not on curve":   {23, append([]byte{4}, make([]byte, 64)...)},
		"p256 compressed":     {23, append([]byte{2}, make([]byte, 32)...)},
		"p256 infinity":       {23, []byte{0}},
		"p384 not on curve":   {24, append([]byte{4}, bytes.Repeat([]byte{1}, 96)...)},
		"x25519 on a p256 kx": {23, bytes.Repeat([]byte{9}, 32)},
	} {
		hello := goodHello(func(m *wire.ClientHello) {
			m.Suites, m.Groups = be16(TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256), be16(c.group)
		})
		exchange := wire.ClientKeyExchange{Identity: []byte(testIdentity), Point: c.point}
		_, _, err := serve(serverConfig(), join(hello, recordOf(recordHandshake, exchange.Append(nil)...)))
		var e *Error
		if !errors.As(err, &e) || e.Alert != AlertIllegalParameter {
			t.Errorf("%s: %v", name, err)
		}
	}
	hello := goodHello(func(m *wire.ClientHello) {
		m.Suites, m.Groups = be16(TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256), be16(29)
	})
	_, _, err := serve(serverConfig(), join(hello, goodExchange)) // no point at all
	wantAlert(t, err, AlertDecodeError, false)
	_, _, err = serve(serverConfig(), join(hello, handshakeOf(wire.TypeClientKeyExchange, 0, 1, 'x', 0)))
	wantAlert(t, err, AlertDecodeError, false)
}

func TestEveryGroup(t *testing.T) {
	all := groups
	defer func() { groups = all }()
	for i := range all {
		groups = all[i : i+1]
		client, server := connected(t, variant{TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256, true, true}.client(), serverConfig())
		if client.ConnectionState().Group != all[i].id || server.ConnectionState().Group != all[i].id {
			t.Errorf("group %d not used", all[i].id)
		}
	}
}
