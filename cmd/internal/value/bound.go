package value

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Bound is a limit that has a default elsewhere and can be lifted by the word "unlimited". 0 is refused: in
// some programs it means no limit, in others nothing at all.
type Bound struct {
	// Value is 0 for the default, negative for unlimited, else the limit.
	Value int64

	kind   string
	parse  func(text string) (int64, error)
	format func(n int64) string
}

// CountBound bounds a number of things.
func CountBound() Bound {
	return Bound{
		kind: "count",
		parse: func(text string) (int64, error) {
			n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("not a whole number")
			}
			return n, nil
		},
		format: func(n int64) string { return strconv.FormatInt(n, 10) },
	}
}

// SizeBound bounds a number of bytes.
func SizeBound() Bound {
	return Bound{
		kind:   "size",
		parse:  func(text string) (int64, error) { var s Size; err := s.Set(text); return int64(s), err },
		format: func(n int64) string { return Size(n).String() },
	}
}

// DurationBound bounds a time; Value is in nanoseconds.
func DurationBound() Bound {
	return Bound{
		kind:   "duration",
		parse:  func(text string) (int64, error) { var d Duration; err := d.Set(text); return int64(d), err },
		format: func(n int64) string { return Duration(n).String() },
	}
}

const unlimited = "unlimited"

// Set reads the bound.
func (b *Bound) Set(text string) error {
	if text == unlimited {
		b.Value = -1
		return nil
	}
	n, err := b.parse(text)
	switch {
	case err != nil:
		return fmt.Errorf("%w, or %s", err, unlimited)
	case n < 0:
		return errors.New("a bound cannot be negative; to have none, write " + unlimited)
	case n == 0:
		return errors.New("a bound of 0 is ambiguous; to have none, write " + unlimited)
	}
	b.Value = n
	return nil
}

// String is the bound as it would be written; empty if it was not set.
func (b Bound) String() string {
	switch {
	case b.Value == 0 || b.format == nil:
		return ""
	case b.Value < 0:
		return unlimited
	}
	return b.format(b.Value)
}

// Type is the word that --help shows for the value.
func (b *Bound) Type() string { return b.kind }
