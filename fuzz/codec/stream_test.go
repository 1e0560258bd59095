package codec

import (
	"bytes"
	"errors"
	"testing"

	"sampan/internal/ceiling"
	"sampan/packet"
)

var errDrained = errors.New("drained")

// splitSource returns its bytes in pieces whose lengths another byte string
// gives, in turn: 0 stands for as much as is asked for.
type splitSource struct {
	data, sizes []byte
	i           int
}

func (s *splitSource) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, errDrained
	}
	n := len(p)
	if len(s.sizes) > 0 {
		if size := int(s.sizes[s.i%len(s.sizes)]); size > 0 {
			n = min(n, size)
		}
		s.i++
	}
	n = copy(p, s.data[:min(n, len(s.data))])
	s.data = s.data[n:]
	return n, nil
}

// FuzzStreamSplit: the same bytes give the same frames and the same error,
// whether they lie in memory as a whole, grow piece by piece, or come through a
// Reader; and the Reader never holds more than what was sent warrants.
func FuzzStreamSplit(f *testing.F) {
	f.Fuzz(func(t *testing.T, limits byte, sizes, data []byte) {
		defer ceiling.Bytes(ceiling.Lots + 32*len(data)).Hold(t)()
		lim := codecLimits[int(limits)%len(codecLimits)]

		// As a whole.
		var ends []int
		var wholeErr error
		at := 0
		for {
			_, n, _, err := packet.Next(data[at:], lim)
			if wholeErr = err; err != nil || n == 0 {
				break
			}
			at += n
			ends = append(ends, at)
		}

		// Piece by piece: what is missing is never overstated, and an error comes
		// no later than with the whole packet.
		src := splitSource{data: data, sizes: sizes}
		var piece [64]byte
		start, have, frames := 0, 0, 0
		var err error
		for err == nil {
			var n, need int
			if _, n, need, err = packet.Next(data[start:have], lim); n > 0 {
				if start += n; frames >= len(ends) || ends[frames] != start {
					t.Fatalf("frame %d ends at %d, as a whole: %v", frames, start, ends)
				}
				frames++
				continue
			}
			if err == nil && frames < len(ends) && have+need > ends[frames] {
				t.Fatalf("%d bytes are said to be missing at %d, the packet ends at %d", need, have, ends[frames])
			}
			got, drained := src.Read(piece[:])
			if have += got; drained != nil {
				break
			}
		}
		if frames != len(ends) || !sameError(err, wholeErr) {
			t.Fatalf("piece by piece: %d frames, %v; as a whole: %d frames, %v", frames, err, len(ends), wholeErr)
		}

		// Through a Reader.
		src = splitSource{data: data, sizes: sizes}
		r := packet.NewReader(&src, lim)
		start = 0
		for i := 0; ; i++ {
			fr, err := r.Next()
			if most := max(2*len(data), 64<<10); r.Cap() > most {
				t.Fatalf("the Reader holds %d bytes for %d sent", r.Cap(), len(data))
			}
			if err != nil {
				if i != len(ends) || wholeErr == nil && err != errDrained || wholeErr != nil && !sameError(err, wholeErr) {
					t.Fatalf("Reader: %d frames, %v; as a whole: %d frames, %v", i, err, len(ends), wholeErr)
				}
				if wholeErr == nil && r.Buffered() != len(data)-start {
					t.Fatalf("the Reader has %d bytes left, %d are", r.Buffered(), len(data)-start)
				}
				break
			}
			if i >= len(ends) || !bytes.Equal(fr.Raw, data[start:ends[i]]) {
				t.Fatalf("frame %d is %x", i, fr.Raw)
			}
			start = ends[i]
		}
	})
}

// sameError compares two errors for a packet by what they say.
func sameError(a, b error) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Error() == b.Error()
}
