package platform

import (
	"sync/atomic"
	"time"

	"sampan/broker"
	"sampan/broker/device"
	"sampan/broker/quota"
)

// limiters are the prepared rates of the table.
type limiters struct {
	connects, accountConnects, uplink0, uplink1, accountUplink, bandwidth, downlink, accountDownlink limited

	allConnects, allUplink, allDownlink atomic.Uint64
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
		quota.Bandwidth: &l.bandwidth, quota.Downlink: &l.downlink, quota.AccountDownlink: &l.accountDownlink,
	} {
		rate := q.Rate(item)
		*to = limited{rate.Limiter(), int64(rate.Limit)}
	}
}

// Downlink accounts a message that a server sends to a device: a publication, a call, a request. The error is
// a *quota.Exceeded if there are too many of them, and then the message is not to be sent. A broadcast counts
// as one message, and only for the account (d is nil).
func (p *Platform) Downlink(d *device.Device) error {
	now, l := p.opts.Clock.Now().UnixNano(), &p.limiters
	if d != nil {
		word := d.Word(device.ForDownlink)
		if !l.downlink.AllowShared(word, now, 1) {
			return p.exceeded(quota.Downlink, &l.downlink, Key(d.Product().Key, string(d.Name())), word.Load())
		}
	}
	if !l.accountDownlink.AllowShared(&l.allDownlink, now, 1) {
		return p.exceeded(quota.AccountDownlink, &l.accountDownlink, "", l.allDownlink.Load())
	}
	return nil
}

func (p *Platform) exceeded(item quota.Item, l *limited, who string, word uint64) error {
	p.meter.Refused(item.String(), who, l.limit, int64(l.Current(word)))
	return &quota.Exceeded{Item: item, Detail: l.Explain(word)}
}

// Meter counts what the limits refuse.
func (p *Platform) Meter() *quota.Meter { return &p.meter }

// uplink is the broker.Quota of one connection: a word for each rate, used by its goroutine alone.
type uplink struct {
	all              *limiters
	meter            *quota.Meter
	qos0, qos1, read uint64
	written          uint64
}

// Publish is part of broker.Quota.
func (u *uplink) Publish(now int64, qos byte, _ int) broker.Verdict {
	rate, word, item := &u.all.uplink0, &u.qos0, quota.UplinkQoS0
	if qos > 0 {
		rate, word, item = &u.all.uplink1, &u.qos1, quota.UplinkQoS1
	}
	if !rate.Allow(word, now, 1) {
		u.meter.Count(item.String())
		return broker.Verdict{Rule: item.String(), Limit: rate.limit, Value: int64(rate.Current(*word))}
	}
	if all := &u.all.accountUplink; !all.AllowShared(&u.all.allUplink, now, 1) {
		u.meter.Count(quota.AccountUplink.String())
		return broker.Verdict{Rule: quota.AccountUplink.String(), Limit: all.limit, Value: int64(all.Current(u.all.allUplink.Load()))}
	}
	return broker.Allowed
}

// Written is part of broker.WriteQuota.
func (u *uplink) Written(now int64, bytes int) time.Duration {
	return u.all.bandwidth.Pace(&u.written, now, bytes)
}

// Read is part of broker.Quota.
func (u *uplink) Read(now int64, bytes int) time.Duration {
	return u.all.bandwidth.Pace(&u.read, now, bytes)
}
