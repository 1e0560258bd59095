// Package value holds the types of settings: each is written on a command line or in a configuration file
// as a person would, and says clearly what is wrong with what it cannot read. They implement pflag.Value.
package value

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes. It is written with a unit: 512, 64KiB, 256KB, 1.5GiB. K, M, G and T alone
// mean the binary units, as they do in most server software.
type Size int64

var sizeUnits = []struct {
	name  string
	bytes float64
}{
	// Longer names first: "KiB" ends with "B".
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", 1 << 40},
	{"B", 1},
}

// Set reads a size.
func (s *Size) Set(text string) error {
	number, factor := strings.TrimSpace(text), 1.0
	for _, unit := range sizeUnits {
		if len(number) >= len(unit.name) && strings.EqualFold(number[len(number)-len(unit.name):], unit.name) {
			number, factor = strings.TrimSpace(number[:len(number)-len(unit.name)]), unit.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil || math.IsNaN(n):
		return fmt.Errorf("not a size: write a number of bytes, as in 4096, 256KiB or 1GB")
	case n < 0:
		return fmt.Errorf("a size cannot be negative")
	case n*factor >= math.MaxInt64:
		return fmt.Errorf("too large for a size")
	case n*factor != math.Trunc(n*factor):
		return fmt.Errorf("not a whole number of bytes")
	}
	*s = Size(n * factor)
	return nil
}

// String is the size with the largest binary unit in which it is a whole number.
func (s Size) String() string {
	for _, unit := range []struct {
		name  string
		bytes Size
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if s >= unit.bytes && s%unit.bytes == 0 {
			return strconv.FormatInt(int64(s/unit.bytes), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Type is the word that --help shows for the value.
func (s *Size) Type() string { return "size" }
