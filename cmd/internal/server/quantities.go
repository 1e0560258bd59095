package server

import (
	"slices"
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

// quantity is one setting with the quantity of quota.Limits that it sets.
type quantity struct {
	quota.Quantity
	value value.Bound
}

func (q *Quantities) register(flags *pflag.FlagSet) {
	platform, open := quota.Platform(), openQuantities()
	q.limits = nil
	for _, limit := range quota.Quantities() {
		l := &quantity{Quantity: limit}
		switch limit.Field(platform).(type) {
		case *quota.Bytes:
			l.value = value.SizeBound()
		case *time.Duration:
			l.value = value.DurationBound()
		default:
			l.value = value.CountBound()
		}
		q.limits = append(q.limits, l)
		defaults := l.written(platform)
		if slices.Contains(ofBroker, limitFlag(limit)) {
			defaults += "; open: " + l.written(open)
		}
		flags.Var(&l.value, limitFlag(limit), limit.Help+" ("+defaults+")")
	}
	q.rates = nil
	for _, item := range quota.Items() {
		rate := new(value.Rate)
		q.rates = append(q.rates, rate)
		flags.Var(rate, rateFlag(item), item.Subject()+"; beyond it "+item.Consequence()+" ("+platform.Rate(item).String()+")")
	}
}

func limitFlag(q quota.Quantity) string { return "limit-" + q.Name }

func rateFlag(item quota.Item) string { return "rate-" + strings.ReplaceAll(item.String(), "_", "-") }

// written is the field's value in a table, as the setting would be written.
func (q *quantity) written(l *quota.Limits) string {
	shown := q.value
	if shown.Value = q.Value(l); shown.Value == 0 {
		shown.Value = -1
	}
	return shown.String()
}

// apply sets the fields that were given. In quota.Limits zero means no limit.
func (q *Quantities) apply(l *quota.Limits) {
	for _, q := range q.limits {
		if q.value.Value != 0 {
			q.Set(l, max(0, q.value.Value))
		}
	}
	for i, rate := range q.rates {
		if rate.Limit != 0 {
			l.Rates[i] = quota.Rate{Limit: max(0, rate.Limit), Per: max(time.Millisecond, rate.Per)}
		}
	}
}

// has reports whether a quantity has this name.
func (q *Quantities) has(name string) bool {
	return slices.ContainsFunc(q.limits, func(q *quantity) bool { return limitFlag(q.Quantity) == name })
}

// set is what was given for a quantity: 0 for nothing, negative for unlimited.
func (q *Quantities) set(name string) int64 {
	for _, q := range q.limits {
		if limitFlag(q.Quantity) == name {
			return q.value.Value
		}
	}
	panic("server: no quantity is named " + name)
}
