package openapi

import (
	"sync"
	"sync/atomic"
	"time"

	"sampan/broker/quota"
)

// rates are the limits on what the API is asked for. (platform: facts, section 2.3)
type rates struct {
	table quota.Limits
	begun time.Time

	calls atomic.Uint64

	mu         sync.Mutex
	broadcasts map[string]*[2]uint64 // by product: to a topic, to all
}

func (r *rates) prepare(q *quota.Limits, now time.Time) {
	if q != nil {
		r.table = *q
	}
	r.begun = now.Add(-1)
	r.broadcasts = make(map[string]*[2]uint64)
}

// rrpc reports why one more call would be too many, or "".
func (r *rates) rrpc(now time.Time) string {
	l := r.table.Rate(quota.RRPCCalls).Limiter()
	if l.AllowShared(&r.calls, int64(now.Sub(r.begun)), 1) {
		return ""
	}
	return l.Explain(r.calls.Load())
}

func (r *rates) topicBroadcast(productKey string, now time.Time) string {
	return r.broadcast(productKey, 0, quota.TopicBroadcasts, now)
}

func (r *rates) fullBroadcast(productKey string, now time.Time) string {
	return r.broadcast(productKey, 1, quota.FullBroadcasts, now)
}

func (r *rates) broadcast(productKey string, which int, item quota.Item, now time.Time) string {
	l := r.table.Rate(item).Limiter()
	r.mu.Lock()
	defer r.mu.Unlock()
	words := r.broadcasts[productKey]
	if words == nil {
		words = new([2]uint64)
		r.broadcasts[productKey] = words
	}
	if l.Allow(&words[which], int64(now.Sub(r.begun)), 1) {
		return ""
	}
	return l.Explain(words[which])
}
