package psk

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"sampan/tlsconf/psk/internal/seal"
	"sampan/tlsconf/psk/internal/wire"
)

// Record content types, RFC 5246 section 6.2.1.
const (
	recordChangeCipherSpec = 20
	recordAlert            = 21
	recordHandshake        = 22
	recordApplicationData  = 23
)

const (
	recordHeaderLen = 5
	// maxRecord is the longest record either way, header included.
	maxRecord = recordHeaderLen + seal.MaxFragment
	// smallBuffer is what a connection's read buffer starts with and keeps
	// while idle: room for a few MQTT packets.
	smallBuffer = 512
	// keptBuffer is the largest read buffer kept when it is empty.
	keptBuffer = 2048
	// maxIdleRecords bounds records in a row that carry no data: a peer must
	// not keep us busy with nothing.
	maxIdleRecords = 16
)

// recordBuffers holds buffers of maxRecord bytes: for a record being written,
// and for a large one being read.
var recordBuffers = sync.Pool{New: func() any { return new([maxRecord]byte) }}

// recordIn is the receiving side: bytes from the transport to plaintext.
type recordIn struct {
	buf  []byte // buf[r:w] is received and not yet consumed
	r, w int
	big  *[maxRecord]byte // backs buf if that is from the pool

	open     seal.Opener // nil: not protected yet
	maxPlain int         // longest plaintext accepted
	budget   int         // bytes of records still accepted; -1: no bound
	idle     int         // records in a row without data
}

// next reads one record and returns its type and plaintext, which aliases the
// buffer and lasts until the following call.
//
// Memory follows the bytes that have arrived, not those a header announces.
func (in *recordIn) next(conn net.Conn) (typ byte, plain []byte, err error) {
	if err := in.fill(conn, recordHeaderLen); err != nil {
		return 0, nil, err
	}
	head := in.buf[in.r : in.r+recordHeaderLen]
	typ = head[0]
	n := int(head[3])<<8 | int(head[4])
	limit := seal.MaxPlaintext
	if in.open != nil {
		limit = seal.MaxFragment
	}
	switch {
	case typ < recordChangeCipherSpec || typ > recordApplicationData:
		return 0, nil, fail(AlertUnexpectedMessage, "not a TLS record")
	case head[1] != 3 || in.open != nil && head[2] != 3:
		return 0, nil, fail(AlertProtocolVersion, "record of another protocol version")
	case n > limit:
		return 0, nil, fail(AlertRecordOverflow, "record longer than the standard allows")
	}
	if in.budget >= 0 {
		if in.budget < recordHeaderLen+n {
			return 0, nil, fail(AlertRecordOverflow, "handshake longer than MaxHandshakeBytes")
		}
		in.budget -= recordHeaderLen + n
	}
	if err := in.fill(conn, recordHeaderLen+n); err != nil {
		return 0, nil, err
	}
	plain = in.buf[in.r+recordHeaderLen : in.r+recordHeaderLen+n]
	in.r += recordHeaderLen + n
	if in.open != nil {
		if plain, err = in.open.Open(typ, plain); err != nil {
			return 0, nil, &Error{Alert: AlertBadRecordMAC, Reason: "cannot read a record", Err: ErrBadRecord}
		}
	}
	if len(plain) > in.maxPlain {
		return 0, nil, fail(AlertRecordOverflow, "record carries more than was agreed")
	}
	if len(plain) == 0 && typ != recordApplicationData {
		return 0, nil, fail(AlertUnexpectedMessage, "empty record")
	}
	return typ, plain, nil
}

// fill reads until n bytes are buffered.
func (in *recordIn) fill(conn net.Conn, n int) error {
	for in.w-in.r < n {
		in.makeRoom()
		m, err := conn.Read(in.buf[in.w:])
		in.w += m
		if err != nil && in.w-in.r < n {
			if err == io.EOF && in.w > in.r {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// makeRoom gives buf free space behind w, doubling up to keptBuffer and then
// taking a pooled buffer, so that the space held stays in proportion to the
// bytes received.
func (in *recordIn) makeRoom() {
	if in.r > 0 {
		in.w = copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
	}
	switch {
	case in.w < len(in.buf):
	case len(in.buf) == 0:
		in.buf = make([]byte, smallBuffer)
	case len(in.buf) < keptBuffer:
		grown := make([]byte, 2*len(in.buf))
		copy(grown, in.buf[:in.w])
		in.buf = grown
	default:
		in.big = recordBuffers.Get().(*[maxRecord]byte)
		copy(in.big[:], in.buf[:in.w])
		in.buf = in.big[:]
	}
}

// release gives a large buffer back once it is empty.
func (in *recordIn) release() {
	if in.r < in.w || in.big == nil {
		return
	}
	recordBuffers.Put(in.big)
	in.big, in.buf, in.r, in.w = nil, nil, 0, 0
}

// recordOut is the sending side. Its lock is held for one record at a time at
// most while writing to the transport; see Conn.Close for who may interrupt.
type recordOut struct {
	mu       sync.Mutex
	seal     seal.Sealer // nil: not protected yet
	version  uint16      // in the record header; the first ClientHello differs
	maxPlain int         // longest plaintext sent
	err      error       // sticky: a record may have been cut short
}

// write sends data as records of one type. The caller holds mu.
func (out *recordOut) write(conn net.Conn, typ byte, data []byte) (n int, err error) {
	if out.err != nil {
		return 0, out.err
	}
	buf := recordBuffers.Get().(*[maxRecord]byte)
	defer recordBuffers.Put(buf)
	for len(data) > 0 {
		m := min(len(data), out.maxPlain)
		record, err := out.append(buf[:0], typ, data[:m])
		if err == nil {
			_, err = conn.Write(record)
		}
		if err != nil {
			out.err = stickyWriteError(err)
			return n, err
		}
		n, data = n+m, data[m:]
	}
	return n, nil
}

// append appends one record that carries data.
func (out *recordOut) append(dst []byte, typ byte, data []byte) ([]byte, error) {
	start := len(dst)
	dst = append(dst, typ, byte(out.version>>8), byte(out.version), 0, 0)
	if out.seal == nil {
		dst = append(dst, data...)
	} else {
		var err error
		if dst, err = out.seal.Seal(dst, typ, data); err != nil {
			return dst[:start], err
		}
	}
	n := len(dst) - start - recordHeaderLen
	dst[start+3], dst[start+4] = byte(n>>8), byte(n)
	return dst, nil
}

// alert sends one alert. The caller holds mu.
func (out *recordOut) alert(conn net.Conn, a Alert) error {
	_, err := out.write(conn, recordAlert, []byte{a.level(), byte(a)})
	return err
}

// alertTimeout bounds how long a last word waits for a peer that does not
// read.
const alertTimeout = time.Second

// errShutdown is what writing gives after the close_notify.
var errShutdown = errors.New("psk: the channel is closed for writing")

// closeNotify says that nothing follows. The caller holds mu.
func (out *recordOut) closeNotify(conn net.Conn) error {
	if out.err != nil {
		return nil // there is no channel left to say it on, or it was said
	}
	if err := conn.SetWriteDeadline(time.Now().Add(alertTimeout)); err != nil {
		return err
	}
	err := out.alert(conn, AlertCloseNotify)
	out.err = errShutdown
	return err
}

// stickyWriteError is what later writes are told: after a timeout the stream
// may end inside a record, so trying again is of no use.
func stickyWriteError(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &timeoutError{err}
	}
	return err
}

// timeoutError is a write timeout that does not invite to try again.
type timeoutError struct{ err error }

func (e *timeoutError) Error() string   { return "psk: an earlier write timed out: " + e.err.Error() }
func (e *timeoutError) Unwrap() error   { return e.err }
func (e *timeoutError) Timeout() bool   { return true }
func (e *timeoutError) Temporary() bool { return false }

// recordVersion is in the header of every record but the first ClientHello's.
const recordVersion = wire.Version12

// firstRecordVersion is TLS 1.0, which RFC 5246 appendix E.1 advises for the
// record of the first ClientHello.
const firstRecordVersion = 0x0301
