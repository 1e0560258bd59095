package value

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"
)

// Duration is a length of time. It is written as Go writes it, with days as one more unit: 1.5s, 2m30s,
// 168h, 7d.
type Duration time.Duration

var days = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)d(.*)$`)

// wellFormed is what time.ParseDuration can read if it is not too long.
var wellFormed = regexp.MustCompile(`^((?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+$`)

var errTooLong = errors.New("too long for a duration: 106751d at most")

// Set reads a duration. It is never negative.
func (d *Duration) Set(text string) error {
	var sum time.Duration
	rest := text
	if parts := days.FindStringSubmatch(text); parts != nil {
		n, err := strconv.ParseFloat(parts[1], 64)
		if err != nil || n*24 > math.MaxInt64/float64(time.Hour) {
			return errTooLong
		}
		sum, rest = time.Duration(n*24*float64(time.Hour)), parts[2]
	}
	if rest != "" {
		part, err := time.ParseDuration(rest)
		if err != nil {
			if _, bare := strconv.ParseFloat(text, 64); bare == nil {
				return fmt.Errorf("has no unit: write %ss for seconds", text)
			}
			if wellFormed.MatchString(rest) {
				return errTooLong
			}
			return fmt.Errorf("not a duration: write a number with a unit, as in 500ms, 30s, 5m, 12h or 7d")
		}
		if part < 0 {
			return fmt.Errorf("a duration cannot be negative")
		}
		if sum > math.MaxInt64-part {
			return errTooLong
		}
		sum += part
	}
	if text == "" {
		return fmt.Errorf("not a duration: it is empty")
	}
	*d = Duration(sum)
	return nil
}

// String is the duration without units that are zero: 7d, 1m30s.
func (d Duration) String() string {
	const day = 24 * time.Hour
	t := time.Duration(d)
	if t >= day && t%time.Hour == 0 {
		text := strconv.FormatInt(int64(t/day), 10) + "d"
		if hours := t % day / time.Hour; hours > 0 {
			text += strconv.FormatInt(int64(hours), 10) + "h"
		}
		return text
	}
	if t >= time.Hour && t%time.Hour == 0 {
		return strconv.FormatInt(int64(t/time.Hour), 10) + "h"
	}
	if t >= time.Minute && t%time.Minute == 0 {
		text := ""
		if t >= time.Hour {
			text = strconv.FormatInt(int64(t/time.Hour), 10) + "h"
		}
		return text + strconv.FormatInt(int64(t%time.Hour/time.Minute), 10) + "m"
	}
	return t.String()
}

// Type is the word that --help shows for the value.
func (d *Duration) Type() string { return "duration" }
