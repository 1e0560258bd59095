package quota

// Item names a rate of the table.
type Item uint8

// The rates (platform-facts 2.3), each with what they count.
const (
	Connects        Item = iota // CONNECTs of a device
	AccountConnects             // CONNECTs of all devices
	UplinkQoS0                  // messages of QoS 0 from a device
	UplinkQoS1                  // messages of QoS 1 from a device
	Downlink                    // messages to a device
	AccountUplink               // messages from all devices
	AccountDownlink             // messages to all devices
	Bandwidth                   // bytes in each direction of a connection
	RRPCCalls                   // calls through the server's API
	TopicBroadcasts             // broadcasts to the subscribers of a topic of a product
	FullBroadcasts              // broadcasts to all online devices of a product
	ShadowRequests              // shadow requests of a device
	SubDeviceLogins             // logins of sub-devices through a gateway

	items = iota
)

var itemTexts = [items]struct{ name, subject, consequence string }{
	Connects:        {"connects", "CONNECTs of one device", "the connection is refused"},
	AccountConnects: {"account-connects", "CONNECTs of all devices", "the connection is refused"},
	UplinkQoS0:      {"uplink-qos0", "QoS 0 messages from one device", "the message is dropped without an answer"},
	UplinkQoS1:      {"uplink-qos1", "QoS 1 messages from one device", "the message is dropped without an answer, so no PUBACK"},
	Downlink:        {"downlink", "messages to one device", "the call that sends is refused"},
	AccountUplink:   {"account-uplink", "messages from all devices", "the message is dropped without an answer"},
	AccountDownlink: {"account-downlink", "messages to all devices", "the call that sends is refused"},
	Bandwidth:       {"bandwidth", "bytes of one connection in one direction", "reading and writing pause"},
	RRPCCalls:       {"rrpc-calls", "RRPC calls", "the call is refused"},
	TopicBroadcasts: {"topic-broadcasts", "broadcasts on one product's topics", "the call is refused"},
	FullBroadcasts:  {"full-broadcasts", "broadcasts to all online devices of one product", "the call is refused"},
	ShadowRequests:  {"shadow-requests", "shadow requests of one device", "the request is refused"},
	SubDeviceLogins: {"sub-device-logins", "logins of sub-devices through one gateway", "the login is refused with code 429"},
}

// String returns a stable word for logs, metrics and configuration.
func (i Item) String() string {
	if int(i) < items {
		return itemTexts[i].name
	}
	return "unknown"
}

// Subject says in words what is counted.
func (i Item) Subject() string { return itemTexts[i].subject }

// Consequence says in words what happens to an event beyond the rate.
func (i Item) Consequence() string { return itemTexts[i].consequence }

// Items lists all rates.
func Items() []Item {
	all := make([]Item, items)
	for i := range all {
		all[i] = Item(i)
	}
	return all
}
