package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"sampan/bench/stat"
)

// short writes a number with three significant digits and, from 1,000 on, a
// letter: 1.23 k, 45.6 M.
func short(v float64) string {
	letters := []string{"", " k", " M", " G", " T"}
	i := 0
	for math.Abs(v) >= 999.5 && i < len(letters)-1 {
		v /= 1000
		i++
	}
	return digits(v) + letters[i]
}

// digits writes three significant digits of a number below 1,000.
func digits(v float64) string {
	switch a := math.Abs(v); {
	case v == math.Trunc(v) && a < 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 0.0995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

// value writes a metric's value with its unit. Microseconds and kilobytes become
// what is easiest to read.
func value(v float64, unit string) string {
	switch unit {
	case "µs":
		switch {
		case v >= 999_500:
			return digits(v/1e6) + " s"
		case v >= 999.5:
			return digits(v/1e3) + " ms"
		}
		return digits(v) + " µs"
	case "KB":
		switch {
		case v >= 999_500:
			return digits(v/(1<<20)) + " GB"
		case v >= 999.5:
			return digits(v/(1<<10)) + " MB"
		}
		return digits(v) + " KB"
	case "/s", "/CPU-s":
		return short(v) + unit
	}
	return short(v) + " " + unit
}

// spread writes a summary's spread; nothing of a single round.
func spread(s stat.Summary) string {
	if s.N < 2 {
		return ""
	}
	return fmt.Sprintf("±%.0f %%", 100*s.Spread())
}

// count writes a whole number in groups of three digits.
func count(n uint64) string {
	s := strconv.FormatUint(n, 10)
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// metric writes the name of a metric as words.
func metric(name string) string {
	return strings.NewReplacer("_per_cpu_second", " per CPU second", "_per_second", " per second", "_", " ").Replace(name)
}
