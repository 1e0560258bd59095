package server

import (
	"reflect"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"sampan/broker/quota"
	"sampan/cmd/internal/value"
)

// Quantities are the platform's limits (quota.Limits), each under a name of its own: limit-payload,
// rate-uplink-qos0. What was not set keeps the value of the profile.
type Quantities struct {
	limits []*quantity
	rates  []*value.Rate // by quota.Item
}

// quantity is one setting with the field of quota.Limits that it sets.
type quantity struct {
	name, help string
	value      value.Bound
	field      func(l *quota.Limits) any // pointer to an int, a quota.Bytes or a time.Duration
}

func (q *Quantities) register(flags *pflag.FlagSet) {
	count, size, duration := value.CountBound, value.SizeBound, value.DurationBound
	q.limits = []*quantity{
		{"limit-payload", "payload of a message", size(), func(l *quota.Limits) any { return &l.Payload }},
		{"limit-topic-length", "bytes in a topic name or filter", size(), func(l *quota.Limits) any { return &l.TopicLength }},
		{"limit-topic-slashes", "slashes in a topic name or filter; three more below /sys/ and /ext/", count(), func(l *quota.Limits) any { return &l.TopicSlashes }},
		{"limit-filters-per-subscribe", "topic filters in one SUBSCRIBE", count(), func(l *quota.Limits) any { return &l.FiltersPerSubscribe }},
		{"limit-subscriptions", "subscriptions of a device", count(), func(l *quota.Limits) any { return &l.Subscriptions }},
		{"limit-unacknowledged", "QoS 1 messages from a device without their PUBACK", count(), func(l *quota.Limits) any { return &l.Unacknowledged }},
		{"limit-in-flight", "QoS 1 messages to a device without their PUBACK", count(), func(l *quota.Limits) any { return &l.InFlight }},
		{"limit-storage", "time that a QoS 1 message waits for a device", duration(), func(l *quota.Limits) any { return &l.Storage }},
		{"limit-keep-alive-min", "shortest keep-alive", duration(), func(l *quota.Limits) any { return &l.KeepAliveMin }},
		{"limit-keep-alive-max", "longest keep-alive", duration(), func(l *quota.Limits) any { return &l.KeepAliveMax }},
		{"limit-products", "products", count(), func(l *quota.Limits) any { return &l.Products }},
		{"limit-devices-per-product", "devices of a product", count(), func(l *quota.Limits) any { return &l.DevicesPerProduct }},
		{"limit-categories-per-product", "topic categories of a product", count(), func(l *quota.Limits) any { return &l.CategoriesPerProduct }},
		{"limit-tokens-per-device", "physical devices behind one device that was not registered before", count(), func(l *quota.Limits) any { return &l.TokensPerDevice }},
		{"limit-register-batch", "devices in one batch of the API", count(), func(l *quota.Limits) any { return &l.RegisterBatch }},
		{"limit-broadcast-payload", "payload of a broadcast", size(), func(l *quota.Limits) any { return &l.BroadcastPayload }},
		{"limit-subscribers-per-topic", "subscribers of one broadcast topic", count(), func(l *quota.Limits) any { return &l.SubscribersPerTopic }},
		{"limit-rrpc-timeout-min", "shortest timeout of an RRPC", duration(), func(l *quota.Limits) any { return &l.RRPCTimeoutMin }},
		{"limit-rrpc-timeout-max", "longest timeout of an RRPC", duration(), func(l *quota.Limits) any { return &l.RRPCTimeoutMax }},
		{"limit-sub-devices", "sub-devices of a gateway", count(), func(l *quota.Limits) any { return &l.SubDevices }},
		{"limit-login-batch", "sub-devices in one batch of logins", count(), func(l *quota.Limits) any { return &l.LoginBatch }},
		{"limit-sub-register-batch", "sub-devices in one registration", count(), func(l *quota.Limits) any { return &l.SubRegisterBatch }},
		{"limit-registration-linger", "time that the connection of a dynamic registration may stay", duration(), func(l *quota.Limits) any { return &l.RegistrationLinger }},
		{"limit-properties-per-post", "properties in one post", count(), func(l *quota.Limits) any { return &l.PropertiesPerPost }},
		{"limit-sub-devices-per-pack-post", "sub-devices in one pack post", count(), func(l *quota.Limits) any { return &l.SubDevicesPerPackPost }},
		{"limit-events-per-pack-post", "events in one pack post", count(), func(l *quota.Limits) any { return &l.EventsPerPackPost }},
		{"limit-shadow", "size of a shadow document", size(), func(l *quota.Limits) any { return &l.Shadow }},
		{"limit-shadow-depth", "levels of a shadow document", count(), func(l *quota.Limits) any { return &l.ShadowDepth }},
		{"limit-shadow-attributes", "attributes of a shadow document", count(), func(l *quota.Limits) any { return &l.ShadowAttributes }},
	}
	platform := quota.Platform()
	for _, q := range q.limits {
		flags.Var(&q.value, q.name, q.help+" ("+q.written(platform)+")")
	}
	q.rates = nil
	for _, item := range quota.Items() {
		rate := new(value.Rate)
		q.rates = append(q.rates, rate)
		flags.Var(rate, rateFlag(item), item.Subject()+"; beyond it "+item.Consequence()+" ("+platform.Rate(item).String()+")")
	}
}

func rateFlag(item quota.Item) string { return "rate-" + strings.ReplaceAll(item.String(), "_", "-") }

// written is the field's value in a table, as the setting would be written.
func (q *quantity) written(l *quota.Limits) string {
	shown := q.value
	shown.Value = reflect.ValueOf(q.field(l)).Elem().Int()
	return shown.String()
}

// apply sets the fields that were given. In quota.Limits zero means no limit.
func (q *Quantities) apply(l *quota.Limits) {
	for _, q := range q.limits {
		if q.value.Value != 0 {
			reflect.ValueOf(q.field(l)).Elem().SetInt(max(0, q.value.Value))
		}
	}
	for i, rate := range q.rates {
		if rate.Limit != 0 {
			l.Rates[i] = quota.Rate{Limit: max(0, rate.Limit), Per: max(time.Millisecond, rate.Per)}
		}
	}
}

// set is what was given for a quantity: 0 for nothing, negative for unlimited.
func (q *Quantities) set(name string) int64 {
	for _, q := range q.limits {
		if q.name == name {
			return q.value.Value
		}
	}
	panic("server: no quantity is named " + name)
}
