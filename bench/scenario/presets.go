package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// suite is the Open MQTT Benchmark Suite, names and sizes as it gives them:
// 16 bytes of payload at QoS 1, clean session, a keep-alive of 300 s, half an
// hour. The number of connections is beyond one source address from 28,000 on.
var suite = map[string]Scenario{
	"conn-tcp-10K-100": {
		Kind: Connect, Clients: 10_000, Rate: 100, Stay: true,
		About: "10,000 connections at 100 a second, held",
	},
	"conn-tcp-1M-5K": {
		Kind: Connect, Clients: 1_000_000, Rate: 5000, Stay: true,
		About: "1,000,000 connections at 5,000 a second, held",
	},
	"fanout-1-1k-1-1K": {
		Kind: Fanout, Publishers: 1, Subscribers: 1000, QoS: 1, Payload: 16, Rate: 1,
		About: "one publisher at one message a second to 1,000 subscribers",
	},
	"fanout-5-1000-5-250K": {
		Kind: Fanout, Publishers: 5, Subscribers: 1000, QoS: 1, Payload: 16, Rate: 250,
		About: "five publishers at 50 messages a second each to 1,000 subscribers: 250,000 deliveries a second",
	},
	"p2p-1K-1K-1K-1K": {
		Kind: Pairs, Subscribers: 1000, QoS: 1, Payload: 16, Rate: 1000,
		About: "1,000 pairs at one message a second each",
	},
	"p2p-50K-50K-50K-50K": {
		Kind: Pairs, Subscribers: 50_000, QoS: 1, Payload: 16, Rate: 50_000,
		About: "50,000 pairs at one message a second each",
	},
	"sharesub-1K-5-1K-1K": {
		Kind: Fanin, Publishers: 1000, Subscribers: 5, Shared: true, QoS: 1, Payload: 16, Rate: 1000,
		About: "1,000 publishers at one message a second each to 5 subscribers who share them",
	},
	"sharesub-50K-500-50K-50K": {
		Kind: Fanin, Publishers: 50_000, Subscribers: 500, Shared: true, QoS: 1, Payload: 16, Rate: 50_000,
		About: "50,000 publishers at one message a second each to 500 subscribers who share them",
	},
}

// cells are the loads by which Sampan is compared with other brokers: bursts
// in a closed load, where the figure is deliveries for each second of the
// broker's processor time, and the everyday load at a rate.
var cells = map[string]Scenario{
	"fanout-10":          {Kind: Fanout, Publishers: 1, Subscribers: 10, Payload: 64, Window: 1024},
	"fanout-100":         {Kind: Fanout, Publishers: 1, Subscribers: 100, Payload: 64, Window: 200},
	"fanout-1000":        {Kind: Fanout, Publishers: 1, Subscribers: 1000, Payload: 64, Window: 20},
	"fanout-100-1KiB":    {Kind: Fanout, Publishers: 1, Subscribers: 100, Payload: 1024, Window: 200},
	"fanout-100-single":  {Kind: Fanout, Publishers: 1, Subscribers: 100, Payload: 64, Window: 1},
	"fanout-1000-single": {Kind: Fanout, Publishers: 1, Subscribers: 1000, Payload: 64, Window: 1},
	"fanout-10-qos1":     {Kind: Fanout, Publishers: 1, Subscribers: 10, QoS: 1, Payload: 64, Window: 1024},
	"fanout-100-qos1":    {Kind: Fanout, Publishers: 1, Subscribers: 100, QoS: 1, Payload: 64, Window: 200},
	"fanout-1000-qos1":   {Kind: Fanout, Publishers: 1, Subscribers: 1000, QoS: 1, Payload: 64, Window: 20},
	"fanout-10-after":    {Kind: Fanout, Publishers: 1, Subscribers: 10, Payload: 64, Window: 1024, Earlier: 3300},
	"fanin-100":          {Kind: Fanin, Publishers: 100, Subscribers: 1, Payload: 64, Window: 20},
	"fanin-100-qos1":     {Kind: Fanin, Publishers: 100, Subscribers: 1, QoS: 1, Payload: 64, Window: 20},
	"pairs-500":          {Kind: Pairs, Subscribers: 500, Payload: 64, Window: 8},
	"pairs-500-qos1":     {Kind: Pairs, Subscribers: 500, QoS: 1, Payload: 64, Window: 8},
	"wildcard-1000":      {Kind: Wildcard, Publishers: 1, Subscribers: 1000, Payload: 64, Window: 1, Unrelated: 50_000},
	"everyday":           {Kind: Pairs, Subscribers: 500, Payload: 64, Rate: 10_000},
	"fanout-100-200":     {Kind: Fanout, Publishers: 1, Subscribers: 100, Payload: 64, Rate: 200},
	"connect-clean":      {Kind: Connect, Clients: 10_000, Window: 64},
	"fanout-100-filters": {Kind: Fanout, Publishers: 1, Subscribers: 100, Payload: 64, Window: 200, Unrelated: 50_000},
	"fanout-100-idle":    {Kind: Fanout, Publishers: 1, Subscribers: 100, Payload: 64, Window: 200, IdleClients: 10_000},
	"idle-10000":         {Kind: Idle, Clients: 10_000},
	"rrpc-1":             {Kind: RRPC, Clients: 1, Payload: 64, Window: 1},
	"rrpc-100":           {Kind: RRPC, Clients: 100, Payload: 64, Window: 100},
	"rrpc-1000":          {Kind: RRPC, Clients: 1000, Payload: 64, Window: 1000},
}

// Cells returns the loads of the comparison, by name.
func Cells() []Scenario {
	var all []Scenario
	for name, s := range cells {
		s.About = s.words()
		s = s.complete(name)
		s.Warmup, s.Duration, s.Cooldown = time.Second, 3*time.Second, 200*time.Millisecond
		all = append(all, s)
	}
	return byName(all)
}

// Suite returns the presets of the Open MQTT Benchmark Suite, by name.
func Suite() []Scenario {
	var all []Scenario
	for name, s := range suite {
		s.Duration, s.KeepAlive = 30*time.Minute, 300*time.Second
		all = append(all, s.complete(name))
	}
	return byName(all)
}

func byName(all []Scenario) []Scenario {
	slices.SortFunc(all, func(a, b Scenario) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// words describes a load by its sizes.
func (s *Scenario) words() string {
	text := fmt.Sprintf("%d subscribers", s.Subscribers)
	switch s.Kind {
	case Connect:
		text = "connections with clean session, closed after CONNACK"
	case Idle:
		return fmt.Sprintf("%d connections that do nothing: memory for each", s.Clients)
	case RRPC:
		return fmt.Sprintf("calls of %d devices, %d at a time: round trips a second", s.Clients, s.Window)
	case Pairs:
		text = fmt.Sprintf("%d pairs", s.Subscribers)
	case Fanin:
		text = fmt.Sprintf("%d publishers to %d", s.Publishers, s.Subscribers)
	case Fanout:
		text = fmt.Sprintf("%d to %d", s.Publishers, s.Subscribers)
	case Wildcard:
		text = fmt.Sprintf("%d to %d by wildcard among %d filters", s.Publishers, s.Subscribers, s.Unrelated)
	}
	if s.sends() {
		text += fmt.Sprintf(", QoS %d, %d bytes", s.QoS, s.Payload)
	}
	switch {
	case s.Rate > 0:
		text += fmt.Sprintf(", %g a second", s.Rate)
	case s.Window == 1:
		text += ", one at a time"
	default:
		text += fmt.Sprintf(", window %d", s.Window)
	}
	if s.Earlier > 0 {
		text += fmt.Sprintf(", after %d earlier subscribers", s.Earlier)
	}
	if s.Unrelated > 0 && s.Kind != Wildcard {
		text += fmt.Sprintf(", among %d filters of others", s.Unrelated)
	}
	if s.IdleClients > 0 {
		text += fmt.Sprintf(", beside %d idle connections", s.IdleClients)
	}
	return text
}

// Find returns the scenario of a name: a kind, a preset of the Open MQTT
// Benchmark Suite (with or without "singlenode-" in front) or a cell of the
// comparison. Letters' case does not matter.
func Find(name string) (Scenario, error) {
	wanted := strings.TrimPrefix(strings.ToLower(name), "singlenode-")
	for _, kind := range Kinds {
		if string(kind) == wanted {
			return Of(kind), nil
		}
	}
	for _, s := range slices.Concat(Suite(), Cells()) {
		if strings.ToLower(s.Name) == wanted {
			return s, nil
		}
	}
	return Scenario{}, fmt.Errorf("no scenario %q; there are %s", name, strings.Join(Names(), ", "))
}

// Names lists every name that Find knows.
func Names() []string {
	var names []string
	for _, kind := range Kinds {
		names = append(names, string(kind))
	}
	for _, s := range slices.Concat(Suite(), Cells()) {
		names = append(names, s.Name)
	}
	return names
}
