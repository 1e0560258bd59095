package value

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate is a limit on events in a time, with a default elsewhere: 30/s, 5/min, 100/10s, or "unlimited".
type Rate struct {
	// Limit is 0 for the default, negative for unlimited, else the number of events in Per.
	Limit int
	Per   time.Duration
}

// periods are the units of time that need no number.
var periods = []struct {
	name string
	per  time.Duration
}{{"s", time.Second}, {"min", time.Minute}, {"m", time.Minute}, {"h", time.Hour}}

// Set reads the rate.
func (r *Rate) Set(text string) error {
	if text == unlimited {
		*r = Rate{Limit: -1}
		return nil
	}
	number, period, found := strings.Cut(text, "/")
	n, err := strconv.Atoi(strings.ReplaceAll(number, "_", ""))
	if !found || err != nil {
		return errors.New("not a rate: write a number and a time, as in 30/s, 5/min or 100/10s, or " + unlimited)
	}
	if n <= 0 {
		return errors.New("a rate of 0 or less lets nothing through; to have no limit, write " + unlimited)
	}
	for _, p := range periods {
		if period == p.name {
			*r = Rate{n, p.per}
			return nil
		}
	}
	var d Duration
	if err := d.Set(period); err != nil {
		return fmt.Errorf("the time after the slash: %w", err)
	}
	if d <= 0 {
		return errors.New("the time after the slash is zero")
	}
	*r = Rate{n, time.Duration(d)}
	return nil
}

// String is the rate as it would be written; empty if it was not set.
func (r Rate) String() string {
	switch {
	case r.Limit == 0:
		return ""
	case r.Limit < 0:
		return unlimited
	}
	for _, p := range periods {
		if r.Per == p.per {
			return strconv.Itoa(r.Limit) + "/" + p.name
		}
	}
	return strconv.Itoa(r.Limit) + "/" + Duration(r.Per).String()
}

// Type is the word that --help shows for the value.
func (r *Rate) Type() string { return "rate" }
