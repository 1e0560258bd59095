package bench

import (
	"fmt"
	"strconv"
	"strings"

	"sampan/bench/load"
	"sampan/bench/scenario"
)

// layout is a plan and which of its clients do what.
type layout struct {
	plan        load.Plan
	subscribers clients // those who receive, and devices of RRPC
	publishers  clients // those who only send
	cyclers     clients // those who come and go
	unrelated   clients // those who hold unrelated filters
	idle        clients
	earlier     clients // those who subscribe before and go
}

// clients is a range of a plan's clients.
type clients struct{ from, to int }

func (c clients) len() int { return c.to - c.from }

// filtersEach is how many unrelated filters a client holds by default.
const filtersEach = 1000

// senders is how many clients publish to the subscribers of Offline: more
// would measure connections.
const senders = 16

// planner makes the plan of one run.
type planner struct {
	layout
	scenario.Scenario
	run           string // {run}
	topic, filter string // templates
	identity      func(int) load.Credentials
	byFunction    bool // a function publishes, or calls
}

// newLayout plans a scenario. The run's name makes its topics different from
// those of others.
func newLayout(s scenario.Scenario, run string, key uint64, identity func(int) load.Credentials, byFunction bool) layout {
	p := planner{Scenario: s, run: run, identity: identity, byFunction: byFunction}
	p.topic, p.filter = s.Templates()
	p.plan.Key = key
	p.plan.Shared = s.Shared
	switch s.Kind {
	case scenario.Connect, scenario.Idle:
		p.cyclers = p.add(s.Clients, func(int) load.Client { return load.Client{} })
	case scenario.Fanout, scenario.Wildcard, scenario.Broadcast:
		p.toAll()
	case scenario.Fanin:
		p.fanin()
	case scenario.Churn:
		p.cyclers = p.toSelf(s.Clients)
	case scenario.RRPC:
		p.rrpc()
	default:
		p.pairs()
	}
	if s.Kind == scenario.Soak {
		p.cyclers = p.add(s.Clients, func(int) load.Client { return load.Client{} })
	}
	p.bystanders()
	return p.layout
}

// add appends n clients.
func (p *planner) add(n int, client func(i int) load.Client) clients {
	c := clients{len(p.plan.Clients), len(p.plan.Clients) + n}
	for i := range n {
		p.plan.Clients = append(p.plan.Clients, client(i))
	}
	return c
}

// stream appends a stream. Its deliveries come at the stream's own QoS, which
// is also that of the subscriptions.
func (p *planner) stream(from int, topic string, copies int) {
	s := load.Stream{From: from, Topic: topic, QoS: p.QoS, Deliver: p.QoS, Size: p.Payload, Copies: copies}
	if from < 0 {
		s.QoS = 0 // how the function publishes is its business
	}
	p.plan.Streams = append(p.plan.Streams, s)
}

// expand fills in a template for publisher i and subscriber s, with the names
// of a client.
func (p *planner) expand(template string, i, s, client int) string {
	if !strings.Contains(template, "{") {
		return template
	}
	id := p.identity(client)
	return strings.NewReplacer(
		"{run}", p.run, "{i}", strconv.Itoa(i), "{s}", strconv.Itoa(s),
		"{pk}", id.ProductKey, "{dn}", id.DeviceName,
	).Replace(template)
}

// toAll is few publishers and subscribers who get everything.
func (p *planner) toAll() {
	var filters []string
	for i := range p.Publishers {
		if f := p.expand(p.filter, i, 0, 0); len(filters) == 0 || f != filters[0] {
			filters = append(filters, f)
		}
	}
	p.subscribers = p.add(p.Subscribers, func(int) load.Client {
		return load.Client{Filters: filters, QoS: p.QoS, Streams: p.Publishers}
	})
	first := p.subscribers.to
	if !p.byFunction {
		p.publishers = p.add(p.Publishers, func(int) load.Client { return load.Client{} })
	}
	for i := range p.Publishers {
		from := first + i
		if p.byFunction {
			from = -1
		}
		p.stream(from, p.expand(p.topic, i, 0, max(from, 0)), p.Subscribers)
	}
}

// fanin is many publishers; each subscriber gets those of a contiguous part,
// or all share everything.
func (p *planner) fanin() {
	share := func(s int) (from, to int) {
		return s * p.Publishers / p.Subscribers, (s + 1) * p.Publishers / p.Subscribers
	}
	p.subscribers = p.add(p.Subscribers, func(s int) load.Client {
		from, to := share(s)
		if p.Shared {
			from, to = 0, p.Publishers
		}
		return load.Client{Filters: []string{p.expand(p.filter, 0, s, s)}, QoS: p.QoS, First: from, Streams: to - from}
	})
	p.publishers = p.add(p.Publishers, func(int) load.Client { return load.Client{} })
	for s := range p.Subscribers {
		from, to := share(s)
		for i := from; i < to; i++ {
			client := p.publishers.from + i
			p.stream(client, p.expand(p.topic, i, s, client), 1)
		}
	}
}

// pairs is a stream for each subscriber.
func (p *planner) pairs() {
	n := p.Subscribers
	if p.Self {
		p.subscribers = p.toSelf(n)
		return
	}
	p.subscribers = p.add(n, func(i int) load.Client {
		return load.Client{
			Filters: []string{p.expand(p.filter, i, i, i)}, QoS: p.QoS, First: i, Streams: 1,
			Persistent: p.Kind == scenario.Takeover || p.Kind == scenario.Offline,
		}
	})
	publishers := n
	if p.Kind == scenario.Offline {
		publishers = min(n, senders)
	}
	p.publishers = p.add(publishers, func(int) load.Client { return load.Client{} })
	for i := range n {
		p.stream(p.publishers.from+i*publishers/n, p.expand(p.topic, i, i, i), 1)
	}
}

// toSelf is clients that publish to themselves.
func (p *planner) toSelf(n int) clients {
	c := p.add(n, func(i int) load.Client {
		return load.Client{Filters: []string{p.expand(p.filter, i, i, i)}, QoS: p.QoS, First: i, Streams: 1}
	})
	for i := range n {
		p.stream(i, p.expand(p.topic, i, i, i), 1)
	}
	return c
}

// rrpc is devices that answer, and a client that calls, unless a function
// does.
func (p *planner) rrpc() {
	p.subscribers = p.add(p.Clients, func(i int) load.Client {
		c := load.Client{Filters: []string{p.expand(p.filter, i, i, i)}, Answers: true}
		if !p.byFunction {
			c.First, c.Streams = i, 1
		}
		return c
	})
	if p.byFunction {
		p.plan.Streams = []load.Stream{{From: -1, Topic: "calls", Size: p.Payload}}
		return
	}
	answers := strings.NewReplacer("{pk}", "+", "{dn}", "+", "{i}", "+", "{s}", "+", "{run}", p.run).Replace(reply(p.topic)) + "+"
	p.publishers = p.add(1, func(int) load.Client {
		return load.Client{Filters: []string{answers}, Streams: p.Clients}
	})
	for i := range p.Clients {
		topic := p.expand(p.topic, i, i, i)
		p.plan.Streams = append(p.plan.Streams, load.Stream{
			From: p.publishers.from, Topic: topic, Reply: reply(topic), Size: p.Payload, Copies: 1,
		})
	}
}

// reply is the topic of the answer to a request on a topic.
func reply(topic string) string { return strings.Replace(topic, "/request/", "/response/", 1) }

// bystanders are the clients that the broker has besides the load.
func (p *planner) bystanders() {
	n := p.UnrelatedClients
	if n == 0 {
		n = (p.Unrelated + filtersEach - 1) / filtersEach
	}
	p.unrelated = p.add(n, func(c int) load.Client {
		var filters []string
		for f := c * p.Unrelated / n; f < (c+1)*p.Unrelated/n; f++ {
			filters = append(filters, fmt.Sprintf("bench/%s/unrelated/%d/+", p.run, f))
		}
		return load.Client{Filters: filters}
	})
	p.idle = p.add(p.IdleClients, func(int) load.Client { return load.Client{} })
	var filters []string
	if p.subscribers.len() > 0 {
		filters = p.plan.Clients[p.subscribers.from].Filters
	}
	p.earlier = p.add(p.Earlier, func(int) load.Client { return load.Client{Filters: filters, QoS: p.QoS} })
}
