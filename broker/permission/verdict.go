package permission

// Verdict is a decision and why it was taken.
type Verdict struct {
	Allowed bool
	Reason  Reason
}

// Reason says why. It is short enough to be returned for every message.
type Reason uint8

const (
	// Why something is allowed.
	ByCategory  Reason = iota + 1 // a topic category of the product
	BySystem                      // a system topic
	ByBroadcast                   // a broadcast of the product

	// ByPlatform grants a subscription that can match other devices' topics, since the platform hands every
	// message on these topics to its device itself: "/ext/rrpc/#". It must not be routed by.
	ByPlatform

	// Why something is refused.
	ForeignTopic    // of another device or another product
	NoCategory      // below the device's own name, but no topic category is for it
	PublishOnly     // may be published, not subscribed
	SubscribeOnly   // may be subscribed, not published
	TooWide         // the filter can match what is not permitted
	WildcardInTopic // a topic that is published has no wildcards
	NoCustomRRPC    // the device did not announce ext=1
	UnknownTopic    // nothing of the platform
)

var reasonNames = [...]string{
	ByCategory: "category", BySystem: "system-topic", ByBroadcast: "broadcast", ByPlatform: "platform",
	ForeignTopic: "foreign-topic", NoCategory: "no-category", PublishOnly: "publish-only",
	SubscribeOnly: "subscribe-only", TooWide: "filter-too-wide", WildcardInTopic: "wildcard-in-topic",
	NoCustomRRPC: "no-custom-rrpc", UnknownTopic: "unknown-topic",
}

// String returns a stable word for logs and metrics.
func (r Reason) String() string {
	if int(r) < len(reasonNames) && r > 0 {
		return reasonNames[r]
	}
	return "unknown"
}
