package quota

import "time"

// Quantity is a limit of the table that is not a rate, with its name.
type Quantity struct {
	Name string // a stable word for logs, metrics and configuration
	Help string
	// Field is the quantity in a table: a pointer to an int, a Bytes or a time.Duration.
	Field func(l *Limits) any
}

// Value is the quantity in a table as a number: of bytes, or of nanoseconds, if that is what it counts. Zero
// is no limit.
func (q Quantity) Value(l *Limits) int64 {
	switch v := q.Field(l).(type) {
	case *int:
		return int64(*v)
	case *Bytes:
		return int64(*v)
	case *time.Duration:
		return int64(*v)
	}
	panic("quota: " + q.Name + " is no number")
}

// Set sets the quantity in a table.
func (q Quantity) Set(l *Limits, n int64) {
	switch v := q.Field(l).(type) {
	case *int:
		*v = int(n)
	case *Bytes:
		*v = Bytes(n)
	case *time.Duration:
		*v = time.Duration(n)
	}
}

// Quantities lists all of them, in the order of Limits.
func Quantities() []Quantity {
	return []Quantity{
		{"payload", "payload of a message", func(l *Limits) any { return &l.Payload }},
		{"topic-length", "bytes in a topic name or filter", func(l *Limits) any { return &l.TopicLength }},
		{"topic-slashes", "slashes in a topic name or filter; three more below /sys/ and /ext/", func(l *Limits) any { return &l.TopicSlashes }},
		{"filters-per-subscribe", "topic filters in one SUBSCRIBE", func(l *Limits) any { return &l.FiltersPerSubscribe }},
		{"subscriptions", "subscriptions of a device", func(l *Limits) any { return &l.Subscriptions }},
		{"unacknowledged", "QoS 1 messages from a device without their PUBACK", func(l *Limits) any { return &l.Unacknowledged }},
		{"in-flight", "QoS 1 messages to a device without their PUBACK", func(l *Limits) any { return &l.InFlight }},
		{"storage", "time that a QoS 1 message waits for a device", func(l *Limits) any { return &l.Storage }},
		{"keep-alive-min", "shortest keep-alive", func(l *Limits) any { return &l.KeepAliveMin }},
		{"keep-alive-max", "longest keep-alive", func(l *Limits) any { return &l.KeepAliveMax }},
		{"products", "products", func(l *Limits) any { return &l.Products }},
		{"devices-per-product", "devices of a product", func(l *Limits) any { return &l.DevicesPerProduct }},
		{"categories-per-product", "topic categories of a product", func(l *Limits) any { return &l.CategoriesPerProduct }},
		{"tokens-per-device", "physical devices behind one device that was not registered before", func(l *Limits) any { return &l.TokensPerDevice }},
		{"register-batch", "devices in one batch of the API", func(l *Limits) any { return &l.RegisterBatch }},
		{"broadcast-payload", "payload of a broadcast", func(l *Limits) any { return &l.BroadcastPayload }},
		{"subscribers-per-topic", "subscribers of one broadcast topic", func(l *Limits) any { return &l.SubscribersPerTopic }},
		{"rrpc-timeout-min", "shortest timeout of an RRPC", func(l *Limits) any { return &l.RRPCTimeoutMin }},
		{"rrpc-timeout-max", "longest timeout of an RRPC", func(l *Limits) any { return &l.RRPCTimeoutMax }},
		{"sub-devices", "sub-devices of a gateway", func(l *Limits) any { return &l.SubDevices }},
		{"login-batch", "sub-devices in one batch of logins", func(l *Limits) any { return &l.LoginBatch }},
		{"sub-register-batch", "sub-devices in one registration", func(l *Limits) any { return &l.SubRegisterBatch }},
		{"registration-linger", "time that the connection of a dynamic registration may stay", func(l *Limits) any { return &l.RegistrationLinger }},
		{"properties-per-post", "properties in one post", func(l *Limits) any { return &l.PropertiesPerPost }},
		{"sub-devices-per-pack-post", "sub-devices in one pack post", func(l *Limits) any { return &l.SubDevicesPerPackPost }},
		{"events-per-pack-post", "events in one pack post", func(l *Limits) any { return &l.EventsPerPackPost }},
		{"shadow", "size of a shadow document", func(l *Limits) any { return &l.Shadow }},
		{"shadow-depth", "levels of a shadow document", func(l *Limits) any { return &l.ShadowDepth }},
		{"shadow-attributes", "attributes of a shadow document", func(l *Limits) any { return &l.ShadowAttributes }},
	}
}
