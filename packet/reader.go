package packet

import "errors"

// Source is what a Reader reads from. Every io.Reader is one.
type Source interface {
	Read(p []byte) (n int, err error)
}

// The memory of a Reader, in bytes: what it starts with and keeps while it waits
// for a packet, and the most that it reads ahead.
const (
	readerFloor = 512
	readerAhead = 32 << 10
)

// ErrSource is the error of a Reader whose source breaks its own contract: it
// keeps returning neither bytes nor an error, or claims more than it was asked
// for.
var ErrSource = errors.New("packet: the source misbehaves")

// idleReads is how many reads in a row may return nothing.
const idleReads = 100

// Reader cuts frames off a stream. It is for callers who have an io.Reader and
// not, as the broker has, the bytes already in hand.
//
// Its memory follows what the peer has sent, not what it claims to be about to
// send: it is at most twice the bytes received of the unfinished packet, or what
// a source that is always ready fills at once (32 KiB). When everything received
// has been handed out, a larger buffer than 512 bytes is given up as soon as the
// source no longer fills it.
//
// A Reader is for one goroutine at a time.
type Reader struct {
	src  Source
	lim  *Limits
	buf  []byte // received, not handed out: buf[at:end]
	at   int
	end  int
	size int // what the next buffer should hold
	idle int // reads in a row that returned nothing
	err  error
}

// NewReader returns a Reader on src under lim (nil: the standard alone). It
// allocates nothing until the first Next.
func NewReader(src Source, lim *Limits) *Reader {
	return &Reader{src: src, lim: orStandard(lim), size: readerFloor}
}

// SetLimits changes the limits for the packets after the last one returned, for
// example once CONNECT has told the protocol level.
func (r *Reader) SetLimits(lim *Limits) { r.lim = orStandard(lim) }

// Buffered returns the number of bytes received and not handed out. After an
// error of the source it tells a stream that ended between packets (0) from one
// that was cut off inside.
func (r *Reader) Buffered() int { return r.end - r.at }

// Cap returns the size of the buffer that is held, in bytes.
func (r *Reader) Cap() int { return len(r.buf) }

// Next returns the next frame, reading as often as it takes. The frame is a view
// into the buffer and valid until the following call of Next.
//
// The error is an *Error if the stream breaks a rule, else it is the source's
// own, which is returned once all whole packets before it have been. Both stay:
// after an error, Next returns it again.
func (r *Reader) Next() (Frame, error) {
	for r.err == nil || r.at < r.end {
		f, n, need, err := Next(r.buf[r.at:r.end], r.lim)
		if err != nil {
			r.err, r.at, r.end, r.buf = err, 0, 0, nil
			break
		}
		if n > 0 {
			r.at += n
			return f, nil
		}
		if r.err != nil {
			break
		}
		r.fill(need)
	}
	return Frame{}, r.err
}

// fill makes room and reads once. need is how many bytes the packet in the
// buffer lacks at least.
func (r *Reader) fill(need int) {
	switch held := r.end - r.at; {
	case held == 0:
		if r.at, r.end = 0, 0; len(r.buf) != r.size {
			r.buf = make([]byte, r.size)
		}
	case r.end < len(r.buf) && need <= len(r.buf)-r.end:
		// The rest fits behind what is there.
	case held <= len(r.buf)/2 || need <= len(r.buf)-held:
		copy(r.buf, r.buf[r.at:r.end])
		r.at, r.end = 0, held
	default:
		// The packet is larger than the buffer. Grow by what has come.
		if held == len(r.buf) {
			grown := make([]byte, held+min(held, need))
			copy(grown, r.buf)
			r.buf, r.at, r.end = grown, 0, held
		} else {
			copy(r.buf, r.buf[r.at:r.end])
			r.at, r.end = 0, held
		}
	}
	room := r.buf[r.end:]
	n, err := r.src.Read(room)
	if n < 0 || n > len(room) {
		n, err = 0, ErrSource
	}
	r.end += n
	if r.err = err; n > 0 {
		r.idle = 0
	} else if r.idle++; r.idle >= idleReads && err == nil {
		r.err = ErrSource
	}
	switch {
	case n == len(room):
		r.size = min(2*r.size, readerAhead)
	case n < r.size/4:
		r.size = max(r.size/2, readerFloor)
	}
}
