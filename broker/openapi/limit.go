package openapi

import (
	"sync/atomic"
	"time"

	"sampan/broker/quota"
)

// rates are the limits on what the API is asked for. (platform: facts, section 2.3)
type rates struct {
	table quota.Limits
	meter *quota.Meter
	begun time.Time

	calls atomic.Uint64
}

func (r *rates) prepare(q *quota.Limits, meter *quota.Meter, now time.Time) {
	if q != nil {
		r.table = *q
	}
	r.meter = meter
	r.begun = now.Add(-1)
}

// rrpc reports why one more call would be too many, or "".
func (r *rates) rrpc(now time.Time) string {
	l := r.table.Rate(quota.RRPCCalls).Limiter()
	if l.AllowShared(&r.calls, int64(now.Sub(r.begun)), 1) {
		return ""
	}
	return r.refused(quota.RRPCCalls, &l, "", r.calls.Load())
}

// refused counts a refusal, and says why.
func (r *rates) refused(item quota.Item, l *quota.Limiter, who string, word uint64) string {
	r.meter.Refused(item.String(), who, int64(r.table.Rate(item).Limit), int64(l.Current(word)))
	return l.Explain(word)
}

// over reports whether a number is over a limit of the table, where zero is none, and counts that.
func (r *rates) over(name, who string, n, limit int) bool {
	if limit <= 0 || n <= limit {
		return false
	}
	r.meter.Refused(name, who, int64(limit), int64(n))
	return true
}
