package psk

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"hash"
	"io"

	"sampan/tlsconf/psk/internal/wire"
)

// The handshake, RFC 5246 section 7.3 with RFC 4279 and RFC 5489:
//
//	client                                server
//	ClientHello               -------->
//	                                      ServerHello
//	                                      ServerKeyExchange (ECDHE, or a hint)
//	                          <--------   ServerHelloDone
//	ClientKeyExchange (identity)
//	[ChangeCipherSpec]
//	Finished                  -------->
//	                                      [ChangeCipherSpec]
//	                          <--------   Finished
//
// There is no resumption: a full handshake costs the server less than the
// bookkeeping would, and every connection proves the key anew.

// maxMessage is the longest body accepted, by message type. A client's hello
// is bounded by MaxHandshakeBytes on top.
func maxMessage(typ byte) int {
	switch typ {
	case wire.TypeClientHello, wire.TypeServerHello:
		return 8 << 10
	case wire.TypeClientKeyExchange, wire.TypeServerKeyExchange:
		return 2 + MaxIdentity + 4 + 255
	case wire.TypeFinished:
		return wire.FinishedLen
	}
	return 0
}

// handshake is one handshake under way, on the goroutine that runs it.
type handshake struct {
	c      *Conn
	config *Config

	received []byte // handshake bytes of records, not yet taken as messages
	taken    int    // bytes at the front of received that are done with
	flight   []byte // records to be sent with the next flush
	message  []byte // scratch for a message being built

	transcript   hash.Hash // over all messages so far, HelloRequest excepted
	suite        *suite
	etm          bool
	ems          bool
	clientRandom [wire.RandomLen]byte
	serverRandom [wire.RandomLen]byte
	master       [masterLen]byte
}

func newTranscript() hash.Hash { return sha256.New() }

// next returns the next message, which must be of one of the two types: its
// type and its body, which lasts until the following call. The message is not
// yet part of the transcript.
func (h *handshake) next(want, orElse byte) (typ byte, message []byte, err error) {
	if h.taken > 0 {
		h.received = h.received[:copy(h.received, h.received[h.taken:])]
		h.taken = 0
	}
	for len(h.received) < wire.HeaderLen {
		if err := h.receive(); err != nil {
			return 0, nil, err
		}
	}
	head := h.received[:wire.HeaderLen]
	typ = head[0]
	n := int(head[1])<<16 | int(head[2])<<8 | int(head[3])
	if typ != want && typ != orElse {
		return 0, nil, fail(AlertUnexpectedMessage, wire.MessageName(typ)+" instead of "+wire.MessageName(want))
	}
	if n > maxMessage(typ) {
		return 0, nil, fail(AlertDecodeError, wire.MessageName(typ)+" is too long")
	}
	for len(h.received) < wire.HeaderLen+n {
		if err := h.receive(); err != nil {
			return 0, nil, err
		}
	}
	h.taken = wire.HeaderLen + n
	return typ, h.received[:h.taken], nil
}

// receive adds one handshake record's bytes.
func (h *handshake) receive() error {
	plain, err := h.record(recordHandshake, "handshake record")
	if err == nil {
		h.received = append(h.received, plain...)
	}
	return err
}

// record reads one record of the type, passing over warnings.
func (h *handshake) record(want byte, name string) ([]byte, error) {
	in := &h.c.in
	for {
		typ, plain, err := in.next(h.c.conn)
		if err == io.EOF {
			return nil, io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		switch typ {
		case want:
			return plain, nil
		case recordAlert:
			err := readAlert(plain)
			if err == io.EOF {
				return nil, &Error{Alert: AlertCloseNotify, Remote: true}
			}
			if err == nil {
				err = in.countIdle()
			}
			if err != nil {
				return nil, err
			}
		default:
			return nil, fail(AlertUnexpectedMessage, "a record of another type instead of "+name)
		}
	}
}

// nothingLeft says that no handshake bytes wait behind the last message: none
// may be sent in one protection and read in another.
func (h *handshake) nothingLeft() error {
	if len(h.received) > h.taken {
		return fail(AlertUnexpectedMessage, "handshake bytes behind the flight's last message")
	}
	return nil
}

// changeCipherSpec reads the peer's.
func (h *handshake) changeCipherSpec() error {
	if err := h.nothingLeft(); err != nil {
		return err
	}
	plain, err := h.record(recordChangeCipherSpec, "change_cipher_spec")
	if err != nil {
		return err
	}
	if len(plain) != 1 || plain[0] != 1 {
		return fail(AlertDecodeError, "ill-formed change_cipher_spec")
	}
	return nil
}

// add puts a whole message into the transcript and into the flight.
func (h *handshake) add(message []byte) (err error) {
	h.transcript.Write(message)
	h.flight, err = h.c.out.append(h.flight, recordHandshake, message)
	return err
}

// flush sends the flight in one write.
func (h *handshake) flush() error {
	out := &h.c.out
	out.mu.Lock()
	defer out.mu.Unlock()
	if out.err != nil {
		return out.err
	}
	_, err := h.c.conn.Write(h.flight)
	if err != nil {
		out.err = stickyWriteError(err)
	}
	h.flight = h.flight[:0]
	return err
}

// keys derives the master secret and this side's protection. The transcript
// must end with the ClientKeyExchange.
func (h *handshake) keys(premaster []byte) (protection, error) {
	if h.ems {
		prf(h.master[:], premaster, "extended master secret", h.transcript.Sum(nil))
	} else {
		prf(h.master[:], premaster, "master secret", h.clientRandom[:], h.serverRandom[:])
	}
	clear(premaster)
	return h.suite.protect(h.c.isClient, h.master[:], h.serverRandom[:], h.clientRandom[:], h.etm, h.config.random())
}

// Finished labels, RFC 5246 section 7.4.9.
const (
	clientFinished = "client finished"
	serverFinished = "server finished"
)

// sendFinished appends change_cipher_spec and Finished under the new
// protection and sends the flight.
func (h *handshake) sendFinished(label string, p protection) error {
	out := &h.c.out
	var err error
	if h.flight, err = out.append(h.flight, recordChangeCipherSpec, []byte{1}); err != nil {
		return err
	}
	out.mu.Lock()
	out.seal = p.out
	out.mu.Unlock()
	h.message = wire.AppendFinished(h.message[:0], h.verifyData(label))
	if err := h.add(h.message); err != nil {
		return err
	}
	return h.flush()
}

// readFinished reads change_cipher_spec and the peer's Finished, and checks it.
//
// On a server this is where a wrong key and an unknown identity show. Both
// fail at the same point by the same code and give the same alert; unknown is
// for the local error only.
func (h *handshake) readFinished(label string, p protection, unknown bool) error {
	if err := h.changeCipherSpec(); err != nil {
		return err
	}
	h.c.in.open = p.in
	want := h.verifyData(label)
	_, message, err := h.next(wire.TypeFinished, wire.TypeFinished)
	if err == nil && !hmac.Equal(message[wire.HeaderLen:], want) {
		err = fail(AlertBadRecordMAC, "the Finished message does not match")
	}
	if err == nil && unknown {
		err = fail(AlertBadRecordMAC, "") // cannot happen: nobody has this key
	}
	if err != nil {
		var e *Error
		if errors.As(err, &e) && e.Alert == AlertBadRecordMAC && !e.Remote {
			e.Reason, e.Err = "the peer has another key", ErrBadRecord
			if unknown {
				e.Reason, e.Err = "no key for what the peer calls itself", ErrUnknownIdentity
			}
		}
		return err
	}
	h.transcript.Write(message)
	return h.nothingLeft()
}

func (h *handshake) verifyData(label string) []byte {
	return prf(make([]byte, wire.FinishedLen), h.master[:], label, h.transcript.Sum(nil))
}

// decodeFailed gives the alert for a message that does not decode.
func decodeFailed(err error) error {
	var e *wire.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Kind {
	case wire.Illegal:
		return fail(AlertIllegalParameter, e.Error())
	case wire.Renegotiating:
		return fail(AlertHandshakeFailure, e.Error())
	case wire.Unsolicited:
		return fail(AlertUnsupportedExtension, e.Error())
	}
	return fail(AlertDecodeError, e.Error())
}

// fragmentLen is the plaintext bound of a max_fragment_length code.
func fragmentLen(code byte) int { return 256 << code }

// lookup asks for the identity's key. Whether it is known makes no difference
// to what is computed here.
func (h *handshake) lookup(ctx context.Context, identity []byte) (key []byte, known bool) {
	nobodys := h.config.unknownKey(identity)
	key, known = h.config.Key(ctx, identity)
	if !known || len(key) == 0 || len(key) > MaxKey {
		return nobodys, false
	}
	return key, true
}
