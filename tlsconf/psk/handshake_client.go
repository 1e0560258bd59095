package psk

import (
	"crypto/ecdh"
	"errors"
	"io"

	"sampan/tlsconf/psk/internal/wire"
)

// client runs the client's side.
func (h *handshake) client() (state ConnectionState, err error) {
	if err := h.checkClientConfig(); err != nil {
		return state, err
	}
	defer clear(h.master[:])
	hello, err := h.sendClientHello()
	if err != nil {
		return state, err
	}
	if err := h.readServerHello(hello); err != nil {
		return state, err
	}
	group, point, hint, err := h.readServerKeyExchange()
	if err != nil {
		return state, err
	}

	exchange := wire.ClientKeyExchange{Identity: h.config.Identity}
	var agreed []byte
	if group != nil {
		var key *ecdh.PrivateKey
		if key, err = group.generate(h.config.random()); err != nil {
			return state, internal(err)
		}
		if agreed = group.agree(key, point); agreed == nil {
			return state, fail(AlertIllegalParameter, "the server's point is not usable")
		}
		defer clear(agreed)
		exchange.Point = key.PublicKey().Bytes()
		state.Group = group.id
	}
	h.message = exchange.Append(h.message[:0])
	if err := h.add(h.message); err != nil {
		return state, err
	}
	key, err := h.clientKey(hint)
	if err != nil {
		return state, err
	}
	p, err := h.keys(premaster(agreed, key))
	if err != nil {
		return state, internal(err)
	}
	if err := h.sendFinished(clientFinished, p); err != nil {
		return state, err
	}
	if err := h.readFinished(serverFinished, p, false); err != nil {
		return state, err
	}
	state.Identity = string(h.config.Identity)
	state.IdentityHint = hint
	state.CipherSuite = h.suite.id
	state.EncryptThenMAC = h.etm
	state.ExtendedMasterSecret = h.ems
	state.MaxFragment = h.c.out.maxPlain
	return state, nil
}

// clientKey is the client's own key.
func (h *handshake) clientKey(hint string) ([]byte, error) {
	if h.config.PSKFor == nil {
		return h.config.PSK, nil
	}
	key, err := h.config.PSKFor([]byte(hint))
	if err == nil && (len(key) == 0 || len(key) > MaxKey) {
		err = errors.New("psk: Config.PSKFor gave a key that is empty or longer than MaxKey")
	}
	if err != nil {
		return nil, internal(err)
	}
	return key, nil
}

func (h *handshake) checkClientConfig() error {
	switch n := len(h.config.PSK); {
	case h.config.PSKFor != nil && n > 0:
		return errors.New("psk: Config.PSK and Config.PSKFor are both set")
	case h.config.PSKFor == nil && (n == 0 || n > MaxKey):
		return errors.New("psk: Config.PSK is empty or longer than MaxKey")
	case len(h.config.Identity) > MaxIdentity:
		return errors.New("psk: Config.Identity is longer than MaxIdentity")
	}
	switch h.config.MaxFragment {
	case 0, 512, 1024, 2048, 4096:
		return nil
	}
	return errors.New("psk: Config.MaxFragment is none of 512, 1024, 2048, 4096")
}

func (h *handshake) sendClientHello() (*wire.ClientHello, error) {
	if _, err := io.ReadFull(h.config.random(), h.clientRandom[:]); err != nil {
		return nil, internal(err)
	}
	hello := &wire.ClientHello{
		Version:              wire.Version12,
		Random:               h.clientRandom[:],
		Compression:          []byte{0},
		Renegotiation:        true,
		EncryptThenMAC:       !h.config.NoEncryptThenMAC,
		ExtendedMasterSecret: !h.config.NoExtendedMasterSecret,
	}
	for code := byte(1); code <= 4; code++ {
		if fragmentLen(code) == h.config.MaxFragment {
			hello.MaxFragment = code
		}
	}
	for i := range suites {
		if s := &suites[i]; h.config.allows(s.id) {
			hello.Suites = append(hello.Suites, byte(s.id>>8), byte(s.id))
			if s.ecdhe && hello.Groups == nil {
				hello.Points = []byte{0}
				for _, g := range groups {
					hello.Groups = append(hello.Groups, byte(g.id>>8), byte(g.id))
				}
			}
		}
	}
	out := &h.c.out
	out.version = firstRecordVersion
	h.message = hello.Append(h.message[:0])
	err := h.add(h.message)
	out.version = recordVersion
	if err != nil {
		return nil, err
	}
	return hello, h.flush()
}

// readServerHello takes the server's choice, if it is one of those offered.
func (h *handshake) readServerHello(hello *wire.ClientHello) error {
	message, err := h.skippingHelloRequest(wire.TypeServerHello)
	if err != nil {
		return err
	}
	var m wire.ServerHello
	if err := m.Decode(message[wire.HeaderLen:]); err != nil {
		return decodeFailed(err)
	}
	h.suite = suiteByID(m.Suite)
	switch {
	case m.Version != wire.Version12:
		return fail(AlertProtocolVersion, "the server chose another protocol version")
	case h.suite == nil || !hello.HasSuite(m.Suite):
		return fail(AlertIllegalParameter, "the server chose a suite that was not offered")
	case m.Compression != 0:
		return fail(AlertIllegalParameter, "the server chose compression")
	case m.EncryptThenMAC && !hello.EncryptThenMAC,
		m.ExtendedMasterSecret && !hello.ExtendedMasterSecret,
		m.MaxFragment != 0 && hello.MaxFragment == 0,
		m.Points != nil && hello.Points == nil:
		return fail(AlertUnsupportedExtension, "the server answered an extension that was not offered")
	case m.EncryptThenMAC && h.suite.aead():
		return fail(AlertIllegalParameter, "encrypt-then-MAC with an AEAD suite")
	case m.MaxFragment != 0 && m.MaxFragment != hello.MaxFragment:
		return fail(AlertIllegalParameter, "the server chose another fragment length")
	case h.config.RequireExtendedMasterSecret && !m.ExtendedMasterSecret:
		return fail(AlertHandshakeFailure, "the server does not use the extended master secret")
	case h.config.RequireEncryptThenMAC && !m.EncryptThenMAC && !h.suite.aead():
		return fail(AlertHandshakeFailure, "the server does not encrypt before the MAC")
	}
	h.etm, h.ems = m.EncryptThenMAC, m.ExtendedMasterSecret
	copy(h.serverRandom[:], m.Random)
	if m.MaxFragment != 0 {
		h.c.in.maxPlain = fragmentLen(m.MaxFragment)
		h.c.out.maxPlain = fragmentLen(m.MaxFragment)
	}
	h.transcript.Write(message)
	return nil
}

// skippingHelloRequest is next for a client, which ignores that the server
// asks for the handshake that is under way (RFC 5246 section 7.4.1.1).
func (h *handshake) skippingHelloRequest(want byte) ([]byte, error) {
	for {
		typ, message, err := h.next(want, wire.TypeHelloRequest)
		if err != nil || typ == want {
			return message, err
		}
	}
}

// readServerKeyExchange reads up to ServerHelloDone. Only an ECDHE suite must
// have the message before it; group is nil for the others.
func (h *handshake) readServerKeyExchange() (g *group, point []byte, hint string, err error) {
	orElse := byte(wire.TypeServerHelloDone)
	if h.suite.ecdhe {
		orElse = wire.TypeServerKeyExchange
	}
	typ, message, err := h.next(wire.TypeServerKeyExchange, orElse)
	if err != nil {
		return nil, nil, "", err
	}
	if typ == wire.TypeServerKeyExchange {
		var m wire.ServerKeyExchange
		if err := m.Decode(message[wire.HeaderLen:], h.suite.ecdhe); err != nil {
			return nil, nil, "", decodeFailed(err)
		}
		if h.suite.ecdhe {
			if g = groupByID(m.Group); g == nil {
				return nil, nil, "", fail(AlertIllegalParameter, "the server chose a group that was not offered")
			}
			point = append([]byte(nil), m.Point...)
		}
		hint = string(m.Hint)
		h.transcript.Write(message)
		if _, message, err = h.next(wire.TypeServerHelloDone, wire.TypeServerHelloDone); err != nil {
			return nil, nil, "", err
		}
	}
	h.transcript.Write(message)
	return g, point, hint, nil
}
