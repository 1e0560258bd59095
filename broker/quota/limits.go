package quota

import "time"

// Bytes is a number of bytes.
type Bytes int

// KB is how the platform's pages count: 1,024 bytes.
const KB Bytes = 1024

// Limits is the platform's table of quantities (platform-facts 2.3). In every field zero means no limit, so
// the zero value is a broker without limits of its own. Where the pages of different years disagree, the
// value of Platform is the later one.
type Limits struct {
	// A packet.
	Payload             Bytes // of one message
	TopicLength         Bytes // of a topic name or filter
	TopicSlashes        int   // in a topic name or filter
	FiltersPerSubscribe int   // in one SUBSCRIBE

	// A device.
	Subscriptions  int           // at the same time; one more is answered with 0x80
	Unacknowledged int           // QoS 1 messages from a device without their PUBACK; then reading pauses
	InFlight       int           // QoS 1 messages to a device without their PUBACK; then pushing stops
	Storage        time.Duration // how long a QoS 1 message waits for an offline device
	KeepAliveMin   time.Duration // a shorter keep-alive is refused
	KeepAliveMax   time.Duration // a longer keep-alive is refused

	// A product and an account.
	Products              int
	DevicesPerProduct     int
	CategoriesPerProduct  int // topic categories
	TokensPerDevice       int // physical devices behind one device that was not registered before
	RegisterBatch         int // devices in one batch of the API
	BroadcastPayload      Bytes
	SubscribersPerTopic   int           // of one broadcast topic
	RRPCTimeoutMin        time.Duration // of a call
	RRPCTimeoutMax        time.Duration // of a call
	SubDevices            int           // of a gateway
	LoginBatch            int           // sub-devices in one batch of logins or logouts
	SubRegisterBatch      int           // sub-devices in one registration
	RegistrationLinger    time.Duration // how long the connection of a dynamic registration may stay
	PropertiesPerPost     int
	SubDevicesPerPackPost int
	EventsPerPackPost     int
	Shadow                Bytes // of a shadow document
	ShadowDepth           int
	ShadowAttributes      int

	// Rates, by Item.
	Rates [items]Rate
}

// Rate is the rate of an item.
func (l *Limits) Rate(i Item) Rate { return l.Rates[i] }

// Limiters prepares all rates for use; index it by Item.
func (l *Limits) Limiters() *[items]Limiter {
	var all [items]Limiter
	for i, r := range l.Rates {
		all[i] = r.Limiter()
	}
	return &all
}

// Open is a table without limits.
func Open() *Limits { return &Limits{} }

// Platform is the platform's table. The result is the caller's to change.
func Platform() *Limits {
	return &Limits{
		Payload:             256 * KB,
		TopicLength:         128,
		TopicSlashes:        7,
		FiltersPerSubscribe: 8,

		Subscriptions:  100,
		Unacknowledged: 100, // limits page of 2020
		InFlight:       50,  // log page of 2019: the hub stops pushing after 50
		Storage:        7 * 24 * time.Hour,
		KeepAliveMin:   30 * time.Second,   // 60 s in 2018
		KeepAliveMax:   1200 * time.Second, // 300 s in 2018

		Products:              1000,
		DevicesPerProduct:     3_000_000, // 500,000 in 2018, 1,000,000 in 2020
		CategoriesPerProduct:  50,
		TokensPerDevice:       5,
		RegisterBatch:         1000,
		BroadcastPayload:      64 * KB,
		SubscribersPerTopic:   1000,
		RRPCTimeoutMin:        1000 * time.Millisecond,
		RRPCTimeoutMax:        8000 * time.Millisecond, // 5,000 in 2018
		SubDevices:            2000,                    // 1,500 in 2020
		LoginBatch:            50,                      // 5 in 2020
		SubRegisterBatch:      30,
		RegistrationLinger:    15 * time.Second,
		PropertiesPerPost:     200,
		SubDevicesPerPackPost: 20,
		EventsPerPackPost:     200,
		Shadow:                16 * KB,
		ShadowDepth:           5,
		ShadowAttributes:      128,

		Rates: [items]Rate{
			Connects:        PerMinute(5),
			AccountConnects: PerSecond(500),
			UplinkQoS0:      PerSecond(30),
			UplinkQoS1:      PerSecond(10),
			Downlink:        PerSecond(50),
			AccountUplink:   PerSecond(10_000),
			AccountDownlink: PerSecond(2_000),
			Bandwidth:       PerSecond(int(1024 * KB)),
			RRPCCalls:       PerSecond(1000),
			TopicBroadcasts: PerSecond(1),
			FullBroadcasts:  PerMinute(1),
			ShadowRequests:  PerSecond(20),
			SubDeviceLogins: PerSecond(200),
		},
	}
}
