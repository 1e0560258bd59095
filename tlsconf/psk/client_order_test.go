package psk

import (
	"bytes"
	"testing"

	"sampan/tlsconf/psk/internal/wire"
)

// askClient lets a client meet a server made by hand.
func askClient(config *Config, answer []byte) (said []byte, err error) {
	c, server, toServer, _ := pipe()
	server.Write(answer)
	server.out.Close()
	err = Client(c, config).Handshake()
	return toServer.data, err
}

func TestClientRefusesEachWrongAnswer(t *testing.T) {
	hello := func(change ...func(*wire.ServerHello)) []byte {
		m := wire.ServerHello{Version: wire.Version12, Random: make([]byte, wire.RandomLen), Suite: TLS_PSK_WITH_AES_128_CBC_SHA}
		for _, c := range change {
			c(&m)
		}
		return recordOf(recordHandshake, m.Append(nil)...)
	}
	ecdhe := hello(func(m *wire.ServerHello) { m.Suite = TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256 })
	helloWith := func(extensions ...byte) []byte {
		body := append(hello()[9:], byte(len(extensions)>>8), byte(len(extensions)))
		return handshakeOf(wire.TypeServerHello, append(body, extensions...)...)
	}
	done := handshakeOf(wire.TypeServerHelloDone)
	kx := func(body ...byte) []byte { return handshakeOf(wire.TypeServerKeyExchange, body...) }
	for _, c := range []struct {
		name   string
		answer []byte
		change func(*Config)
		want   Alert
	}{
		{"TLS 1.1", hello(func(m *wire.ServerHello) { m.Version = 0x0302 }), nil, AlertProtocolVersion},
		{"suite not offered", hello(func(m *wire.ServerHello) { m.Suite = TLS_PSK_WITH_AES_128_CBC_SHA }), func(c *Config) {
			c.CipherSuites = []uint16{TLS_PSK_WITH_AES_128_GCM_SHA256}
		}, AlertIllegalParameter},
		{"unknown suite", hello(func(m *wire.ServerHello) { m.Suite = 0x002f }), nil, AlertIllegalParameter},
		{"compression", hello(func(m *wire.ServerHello) { m.Compression = 1 }), nil, AlertIllegalParameter},
		{"session id too long", hello(func(m *wire.ServerHello) { m.SessionID = make([]byte, 33) }), nil, AlertDecodeError},
		{"truncated", handshakeOf(wire.TypeServerHello, 3, 3, 0), nil, AlertDecodeError},
		{"bytes behind", handshakeOf(wire.TypeServerHello, append(hello()[9:], 0, 0, 0)...), nil, AlertDecodeError},
		{"too long", recordOf(recordHandshake, wire.TypeServerHello, 1, 0, 0), nil, AlertDecodeError},
		{"unsolicited extension", helloWith(extension(16)...), nil, AlertUnsupportedExtension},
		{"etm not offered", hello(func(m *wire.ServerHello) { m.EncryptThenMAC = true }), func(c *Config) { c.NoEncryptThenMAC = true }, AlertUnsupportedExtension},
		{"ems not offered", hello(func(m *wire.ServerHello) { m.ExtendedMasterSecret = true }), func(c *Config) { c.NoExtendedMasterSecret = true }, AlertUnsupportedExtension},
		{"fragment not offered", hello(func(m *wire.ServerHello) { m.MaxFragment = 1 }), nil, AlertUnsupportedExtension},
		{"points not offered", hello(func(m *wire.ServerHello) { m.Points = []byte{0} }), func(c *Config) {
			c.CipherSuites = []uint16{TLS_PSK_WITH_AES_128_CBC_SHA}
		}, AlertUnsupportedExtension},
		{"other fragment", hello(func(m *wire.ServerHello) { m.MaxFragment = 1 }), func(c *Config) { c.MaxFragment = 4096 }, AlertIllegalParameter},
		{"etm with AEAD", hello(func(m *wire.ServerHello) {
			m.EncryptThenMAC, m.Suite = true, TLS_PSK_WITH_AES_128_GCM_SHA256
		}), nil, AlertIllegalParameter},
		{"renegotiation_info not empty", helloWith(extension(0xff01, 1, 1)...), nil, AlertHandshakeFailure},
		{"extension twice", helloWith(append(extension(23), extension(23)...)...), nil, AlertIllegalParameter},
		{"extension with a body", helloWith(extension(23, 1)...), nil, AlertDecodeError},
		{"empty points", helloWith(extension(11, 0)...), nil, AlertDecodeError},
		{"ServerHello twice", join(hello(), hello()), nil, AlertUnexpectedMessage},
		{"certificate", join(hello(), handshakeOf(11, 0, 0, 0)), nil, AlertUnexpectedMessage},
		{"ServerHelloDone with a body", join(hello(), handshakeOf(wire.TypeServerHelloDone, 0)), nil, AlertDecodeError},
		{"ServerHelloDone twice", join(hello(), done, done), nil, AlertUnexpectedMessage},
		{"bytes behind ServerHelloDone", join(hello(), recordOf(recordHandshake, join(done[5:], done[5:])...)), nil, AlertUnexpectedMessage},
		{"ECDHE without key exchange", join(ecdhe, done), nil, AlertUnexpectedMessage},
		{"key exchange cut", join(ecdhe, kx(0, 0, 3, 0)), nil, AlertDecodeError},
		{"explicit curve", join(ecdhe, kx(append([]byte{0, 0, 1, 0, 29, 32}, make([]byte, 32)...)...)), nil, AlertIllegalParameter},
		{"group not offered", join(ecdhe, kx(append([]byte{0, 0, 3, 0, 30, 32}, make([]byte, 32)...)...), done), nil, AlertIllegalParameter},
		{"no point", join(ecdhe, kx(0, 0, 3, 0, 29, 0)), nil, AlertDecodeError},
		{"zero point", join(ecdhe, kx(append([]byte{0, 0, 3, 0, 29, 32}, make([]byte, 32)...)...), done), nil, AlertIllegalParameter},
		{"hint cut", join(hello(), kx(0, 9, 'x')), nil, AlertDecodeError},
		{"key exchange twice", join(hello(), kx(0, 1, 'x'), kx(0, 1, 'x')), nil, AlertUnexpectedMessage},
		{"a flood of HelloRequests", bytes.Repeat(handshakeOf(wire.TypeHelloRequest), 5000), nil, AlertRecordOverflow},
		{"HelloRequest with a body", handshakeOf(wire.TypeHelloRequest, 1), nil, AlertDecodeError},
		{"Finished in the clear", join(hello(), done, plainFinished), nil, AlertUnexpectedMessage},
		{"wrong Finished", join(hello(), done, goodCCS, someFinished), nil, AlertBadRecordMAC},
		{"alert", recordOf(recordAlert, levelFatal, byte(AlertUnknownPSKIdentity)), nil, AlertUnknownPSKIdentity},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := clientConfig()
			if c.change != nil {
				c.change(config)
			}
			said, err := askClient(config, c.answer)
			remote := c.name == "alert"
			wantAlert(t, err, c.want, remote)
			// In the clear, or protected once change_cipher_spec was sent.
			if !remote && !bytes.Contains(said, []byte{recordAlert, 3, 3}) {
				t.Errorf("no alert in %x", said)
			}
		})
	}
}

func TestClientPassesOverHelloRequest(t *testing.T) {
	connected(t, clientConfig(), serverConfig(), func(_, toClient *stream) {
		first := true
		toClient.filter = func(b []byte) []byte {
			if first {
				first = false
				return append(handshakeOf(wire.TypeHelloRequest), b...)
			}
			return b
		}
	})
}
