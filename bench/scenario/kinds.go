package scenario

import "time"

// The default times: long enough for a stable figure, short enough to wait
// for.
const (
	warmup   = 2 * time.Second
	duration = 10 * time.Second
	cooldown = time.Second
)

// defaults are the scenarios that have a kind's name. Loads are open, at rates
// that a small machine serves, unless the kind is about how much fits.
var defaults = map[Kind]Scenario{
	Connect: {
		About:   "connections with clean session, each closed after its CONNACK, 64 at a time",
		Clients: 10_000, Window: 64,
	},
	Idle: {
		About:   "10,000 connections that do nothing: memory and processor time for each",
		Clients: 10_000,
	},
	Fanout: {
		About:      "one publisher to 100 subscribers at 200 messages a second",
		Publishers: 1, Subscribers: 100, Payload: 64, Rate: 200,
	},
	Fanin: {
		About:      "100 publishers to one subscriber at 10,000 messages a second",
		Publishers: 100, Subscribers: 1, Payload: 64, Rate: 10_000,
	},
	Pairs: {
		About:       "500 pairs at 10,000 messages a second in all: the everyday load of devices",
		Subscribers: 500, Payload: 64, Rate: 10_000,
	},
	Wildcard: {
		About:      "one publisher to 1,000 subscribers by wildcard among 50,000 filters, one message at a time",
		Publishers: 1, Subscribers: 1000, Payload: 64, Window: 1, Unrelated: 50_000,
	},
	RRPC: {
		About:   "1,000 calls a second to 100 devices, until the answer",
		Clients: 100, Payload: 64, Rate: 1000,
	},
	Broadcast: {
		About:      "one message a second to 1,000 devices of a product",
		Publishers: 1, Subscribers: 1000, Payload: 64, Rate: 1,
	},
	Churn: {
		About:   "200 clients a second that connect, subscribe, send themselves a message and leave",
		Clients: 1000, QoS: 1, Payload: 64, Rate: 200,
	},
	Takeover: {
		About:       "100 subscribers taken over 50 times a second while 1,000 messages a second come at QoS 1",
		Subscribers: 100, QoS: 1, Payload: 64, Rate: 1000, Cycles: 50,
	},
	Offline: {
		About:       "100 messages queued for each of 1,000 clients that are away, and fetched by them",
		Subscribers: 1000, QoS: 1, Payload: 64, Messages: 100, Window: 10,
	},
	Soak: {
		About:       "500 pairs at 5,000 messages a second at QoS 1, and 20 connections a second that come and go",
		Subscribers: 500, Clients: 500, QoS: 1, Payload: 64, Rate: 5000, Cycles: 20,
		Duration: time.Hour,
	},
}

// topics are the templates of the kinds.
var topics = map[Kind][2]string{
	Fanout:    {"bench/{run}/fanout/{i}", "bench/{run}/fanout/{i}"},
	Fanin:     {"bench/{run}/fanin/{s}/{i}", "bench/{run}/fanin/{s}/#"},
	Pairs:     {"bench/{run}/pairs/{i}", "bench/{run}/pairs/{i}"},
	Wildcard:  {"bench/{run}/wildcard/{i}/state", "bench/{run}/wildcard/+/state"},
	RRPC:      {"/sys/{pk}/{dn}/rrpc/request/", "/sys/{pk}/{dn}/rrpc/request/+"},
	Broadcast: {"/broadcast/{pk}/bench", "/broadcast/{pk}/bench"},
	Churn:     {"bench/{run}/churn/{i}", "bench/{run}/churn/{i}"},
	Takeover:  {"bench/{run}/takeover/{i}", "bench/{run}/takeover/{i}"},
	Offline:   {"bench/{run}/offline/{i}", "bench/{run}/offline/{i}"},
	Soak:      {"bench/{run}/soak/{i}", "bench/{run}/soak/{i}"},
}

// Of returns the default scenario of a kind.
func Of(kind Kind) Scenario {
	s := defaults[kind]
	s.Kind = kind
	return s.complete(string(kind))
}

// complete fills in what a table of scenarios leaves out.
func (s Scenario) complete(name string) Scenario {
	s.Name = name
	if s.Duration == 0 {
		s.Duration = duration
	}
	if s.Warmup == 0 {
		s.Warmup = warmup
	}
	if s.Cooldown == 0 {
		s.Cooldown = cooldown
	}
	return s
}

// Templates returns the topic and the filter, those of the kind where the
// scenario says nothing.
func (s *Scenario) Templates() (topic, filter string) {
	topic, filter = topics[s.Kind][0], topics[s.Kind][1]
	if s.Shared {
		topic, filter = "bench/{run}/shared/{i}", "$share/bench-{run}/bench/{run}/shared/#"
	}
	if s.Topic != "" {
		topic = s.Topic
	}
	if s.Filter != "" {
		filter = s.Filter
	}
	return topic, filter
}
