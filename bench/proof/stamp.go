package proof

import (
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// A stamp is two little-endian words:
//
//	first word   bits 44..63  the stream, that is, which publisher and topic
//	             bits  0..43  the message's number in its stream, from 0
//	second word  bits 20..63  the intended send time in ticks, modulo 2^44
//	             bits  0..19  a check over all of the above and the run's key
//
// What follows is filler from a random sequence that both sides know, read
// from a place that depends on the number. So a receiver finds any change of
// any byte, a message of an earlier run, and one message's rest behind
// another's stamp, and pays for it little more than two multiplications and
// one comparison of memory.

// StampSize is the smallest payload, in bytes.
const StampSize = 16

// MaxStreams is how many streams a stamp can tell apart.
const MaxStreams = 1 << streamBits

// Tick is the unit of a stamped time: fine enough for loopback, and 2^44 of
// them are 78 hours, far beyond any latency.
const Tick = 16 * time.Nanosecond

const (
	streamBits = 20
	seqBits    = 64 - streamBits
	seqMask    = 1<<seqBits - 1
	checkBits  = 20
	checkMask  = 1<<checkBits - 1
	tickBits   = 64 - checkBits
	tickMask   = 1<<tickBits - 1
	// shifts is the number of places from which filler is read.
	shifts = 64
)

// Ticks converts nanoseconds of a clock into what a stamp carries.
func Ticks(ns int64) uint64 { return uint64(ns) / uint64(Tick) & tickMask }

// Between is the time from one stamped moment to a later one; 0 if it is
// earlier.
func Between(from, to uint64) time.Duration {
	d := (to - from) & tickMask
	if d > tickMask/2 {
		return 0
	}
	return time.Duration(d) * Tick
}

// Within reports whether a stamped moment lies in the span of so many ticks
// that begins at from.
func Within(moment, from, span uint64) bool { return (moment-from)&tickMask < span }

// Stamp is what a payload says about its message.
type Stamp struct {
	Stream uint32 // below MaxStreams
	Seq    uint64 // number in the stream, from 0
	Sent   uint64 // intended send time in ticks
}

// Seal writes and checks the payloads of one run. It does not change, so any
// number of goroutines may use it.
type Seal struct {
	key    uint64
	filler []byte
}

// NewSeal makes the seal for payloads of up to size bytes. Runs with
// different keys refuse each other's messages.
func NewSeal(key uint64, size int) *Seal {
	s := &Seal{key: key, filler: make([]byte, (size+shifts+7)&^7)}
	rng := rand.New(rand.NewPCG(key, 0x5a4d50414e))
	for i := 0; i < len(s.filler); i += 8 {
		binary.LittleEndian.PutUint64(s.filler[i:], rng.Uint64())
	}
	return s
}

// check is the last field of a stamp.
func (s *Seal) check(first, sent uint64) uint64 {
	h := (first ^ s.key) * 0x9e3779b97f4a7c15
	h ^= h >> 29
	h = (h + sent) * 0xbf58476d1ce4e5b9
	return h >> (64 - checkBits)
}

// Append adds a payload of size bytes to dst. The size is at least StampSize
// and at most what the seal was made for.
func (s *Seal) Append(dst []byte, size int, m Stamp) []byte {
	first := uint64(m.Stream)<<seqBits | m.Seq&seqMask
	dst = binary.LittleEndian.AppendUint64(dst, first)
	dst = binary.LittleEndian.AppendUint64(dst, m.Sent<<checkBits|s.check(first, m.Sent))
	from := int(m.Seq % shifts)
	return append(dst, s.filler[from:from+size-StampSize]...)
}

// Open reads a payload and reports whether it is as some Append of the same
// seal wrote it, of whatever size.
func (s *Seal) Open(p []byte) (m Stamp, ok bool) {
	if len(p) < StampSize || len(p) > len(s.filler)-shifts {
		return Stamp{}, false
	}
	first := binary.LittleEndian.Uint64(p)
	second := binary.LittleEndian.Uint64(p[8:])
	m = Stamp{uint32(first >> seqBits), first & seqMask, second >> checkBits}
	from := int(m.Seq % shifts)
	rest := p[StampSize:]
	return m, s.check(first, m.Sent) == second&checkMask &&
		string(rest) == string(s.filler[from:from+len(rest)])
}
