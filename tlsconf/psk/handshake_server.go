package psk

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"errors"
	"io"

	"sampan/tlsconf/psk/internal/wire"
)

// server runs the server's side.
func (h *handshake) server(ctx context.Context) (state ConnectionState, err error) {
	if h.config.Key == nil {
		return state, errors.New("psk: Config.Key is not set")
	}
	defer clear(h.master[:])

	_, message, err := h.next(wire.TypeClientHello, wire.TypeClientHello)
	if err != nil {
		return state, err
	}
	var hello wire.ClientHello
	if err := hello.Decode(message[wire.HeaderLen:]); err != nil {
		return state, decodeFailed(err)
	}
	group, err := h.choose(&hello)
	if err != nil {
		return state, err
	}
	h.transcript.Write(message)
	key, err := h.sendServerFlight(&hello, group)
	if err != nil {
		return state, err
	}
	if hello.MaxFragment != 0 {
		h.c.in.maxPlain = fragmentLen(hello.MaxFragment)
		h.c.out.maxPlain = fragmentLen(hello.MaxFragment)
	}

	identity, secret, known, err := h.readClientKeyExchange(ctx, group, key)
	if err != nil {
		return state, err
	}
	p, err := h.keys(secret)
	if err != nil {
		return state, internal(err)
	}
	if err := h.readFinished(clientFinished, p, !known); err != nil {
		return state, err
	}
	if err := h.sendFinished(serverFinished, p); err != nil {
		return state, err
	}
	state = ConnectionState{
		Identity:             identity,
		CipherSuite:          h.suite.id,
		EncryptThenMAC:       h.etm,
		ExtendedMasterSecret: h.ems,
		MaxFragment:          h.c.out.maxPlain,
	}
	if group != nil {
		state.Group = group.id
	}
	return state, nil
}

// choose settles on suite, group (nil without ECDHE) and extensions, or says
// why this client cannot be served.
func (h *handshake) choose(hello *wire.ClientHello) (*group, error) {
	switch {
	case hello.Version < wire.Version12 || !hello.HasVersion(wire.Version12):
		return nil, fail(AlertProtocolVersion, "the client does not speak TLS 1.2")
	case !hello.HasNullCompression():
		return nil, fail(AlertIllegalParameter, "the client insists on compression")
	case h.config.RequireExtendedMasterSecret && !hello.ExtendedMasterSecret:
		return nil, fail(AlertHandshakeFailure, "the client does not offer the extended master secret")
	}
	h.ems = hello.ExtendedMasterSecret && !h.config.NoExtendedMasterSecret
	etm := hello.EncryptThenMAC && !h.config.NoEncryptThenMAC

	var common *group
	if hello.HasUncompressedPoints() {
		for i := range groups {
			if hello.HasGroup(groups[i].id) {
				common = &groups[i]
				break
			}
		}
	}
	for i := range suites {
		s := &suites[i]
		if !h.config.allows(s.id) || !hello.HasSuite(s.id) || s.ecdhe && common == nil ||
			h.config.RequireEncryptThenMAC && !s.aead() && !etm {
			continue
		}
		h.suite = s
		h.etm = etm && !s.aead() // RFC 7366 section 3: not with AEAD
		if !s.ecdhe {
			common = nil
		}
		return common, nil
	}
	return nil, fail(AlertHandshakeFailure, "no cipher suite in common")
}

// sendServerFlight sends ServerHello to ServerHelloDone and returns the
// one-time key of an ECDHE suite.
func (h *handshake) sendServerFlight(hello *wire.ClientHello, g *group) (key *ecdh.PrivateKey, err error) {
	rand := h.config.random()
	copy(h.clientRandom[:], hello.Random)
	if _, err := io.ReadFull(rand, h.serverRandom[:]); err != nil {
		return nil, internal(err)
	}
	answer := wire.ServerHello{
		Version:              wire.Version12,
		Random:               h.serverRandom[:],
		Suite:                h.suite.id,
		MaxFragment:          hello.MaxFragment,
		EncryptThenMAC:       h.etm,
		ExtendedMasterSecret: h.ems,
		Renegotiation:        hello.Renegotiation,
	}
	exchange := wire.ServerKeyExchange{Hint: h.config.IdentityHint}
	if g != nil {
		if key, err = g.generate(rand); err != nil {
			return nil, internal(err)
		}
		exchange.Group, exchange.Point = g.id, key.PublicKey().Bytes()
		if hello.Points != nil {
			answer.Points = []byte{0}
		}
	}
	h.message = answer.Append(h.message[:0])
	if err := h.add(h.message); err != nil {
		return nil, err
	}
	// Without a hint and without ECDHE the message is left out, RFC 4279
	// section 2.
	if g != nil || len(exchange.Hint) > 0 {
		h.message = exchange.Append(h.message[:0])
		if err := h.add(h.message); err != nil {
			return nil, err
		}
	}
	h.message = wire.AppendServerHelloDone(h.message[:0])
	if err := h.add(h.message); err != nil {
		return nil, err
	}
	return key, h.flush()
}

// readClientKeyExchange reads what the client calls itself and computes the
// premaster secret with the key of that identity, or with one nobody has.
func (h *handshake) readClientKeyExchange(ctx context.Context, g *group, own *ecdh.PrivateKey) (identity string, secret []byte, known bool, err error) {
	_, message, err := h.next(wire.TypeClientKeyExchange, wire.TypeClientKeyExchange)
	if err != nil {
		return "", nil, false, err
	}
	var m wire.ClientKeyExchange
	if err := m.Decode(message[wire.HeaderLen:], g != nil); err != nil {
		return "", nil, false, decodeFailed(err)
	}
	if len(m.Identity) > MaxIdentity {
		return "", nil, false, fail(AlertIllegalParameter, "psk identity longer than MaxIdentity")
	}
	var agreed []byte
	if g != nil {
		if agreed = g.agree(own, m.Point); agreed == nil {
			return "", nil, false, fail(AlertIllegalParameter, "the client's point is not usable")
		}
		defer clear(agreed)
	}
	h.transcript.Write(message)
	key, known := h.lookup(ctx, bytes.Clone(m.Identity))
	return string(m.Identity), premaster(agreed, key), known, nil
}

// internal wraps a failure that is neither side's message.
func internal(err error) error {
	return &Error{Alert: AlertInternalError, Reason: "cannot go on", Err: err}
}
