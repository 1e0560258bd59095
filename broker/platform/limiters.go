package platform

import (
	"sync/atomic"
	"time"

	"sampan/broker"
	"sampan/broker/quota"
)

// limiters are the prepared rates of the table.
type limiters struct {
	connects, accountConnects, uplink0, uplink1, accountUplink, bandwidth, subLogins limited

	allConnects, allUplink, allSubLogins atomic.Uint64
}

// limited is a rate, prepared, with what it says of itself.
type limited struct {
	quota.Limiter
	limit int64
}

func (l *limiters) prepare(q *quota.Limits) {
	for item, to := range map[quota.Item]*limited{
		quota.Connects: &l.connects, quota.AccountConnects: &l.accountConnects,
		quota.UplinkQoS0: &l.uplink0, quota.UplinkQoS1: &l.uplink1, quota.AccountUplink: &l.accountUplink,
		quota.Bandwidth: &l.bandwidth, quota.SubDeviceLogins: &l.subLogins,
	} {
		rate := q.Rate(item)
		*to = limited{rate.Limiter(), int64(rate.Limit)}
	}
}

// uplink is the broker.Quota of one connection: a word for each rate, used by its goroutine alone.
type uplink struct {
	all              *limiters
	qos0, qos1, read uint64
}

// Publish is part of broker.Quota.
func (u *uplink) Publish(now int64, qos byte, _ int) broker.Verdict {
	rate, word, rule := &u.all.uplink0, &u.qos0, "uplink-qos0"
	if qos > 0 {
		rate, word, rule = &u.all.uplink1, &u.qos1, "uplink-qos1"
	}
	if !rate.Allow(word, now, 1) {
		return broker.Verdict{Rule: rule, Limit: rate.limit, Value: int64(rate.Current(*word))}
	}
	if all := &u.all.accountUplink; !all.AllowShared(&u.all.allUplink, now, 1) {
		return broker.Verdict{Rule: "account-uplink", Limit: all.limit, Value: int64(all.Current(u.all.allUplink.Load()))}
	}
	return broker.Allowed
}

// Read is part of broker.Quota.
func (u *uplink) Read(now int64, bytes int) time.Duration {
	return u.all.bandwidth.Pace(&u.read, now, bytes)
}
