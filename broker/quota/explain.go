package quota

import (
	"strconv"
	"time"
)

// Explain says why an event was refused, in the platform's words: "Rate limit:30,current qps:31". A rate
// that is not per second says so: "Rate limit:5 per 1m0s,current:6".
func (l *Limiter) Explain(word uint64) string {
	s := "Rate limit:" + strconv.FormatUint(l.limit, 10)
	period := time.Duration(l.period * tick)
	if period == time.Second {
		s += ",current qps:"
	} else {
		s += " per " + period.String() + ",current:"
	}
	return s + strconv.Itoa(l.Current(word))
}

// Exceeded is the error of an event that is beyond its rate.
type Exceeded struct {
	Item   Item
	Detail string // see Limiter.Explain
}

func (e *Exceeded) Error() string { return "quota: " + e.Item.Subject() + ": " + e.Detail }

// Over is the error of something that is over a limit which is not a rate.
type Over struct {
	Name         string // of the Quantity
	Limit, Value int64
}

func (e *Over) Error() string {
	return "quota: " + e.Name + ": " + strconv.FormatInt(e.Value, 10) + ", the limit is " + strconv.FormatInt(e.Limit, 10)
}
