package crash

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sampan/cmd/internal/client"
)

// tape is a ledger of one publisher and one subscriber, told by hand what happened.
type tape struct {
	*ledger
	t      *testing.T
	random *rand.Rand
	broker int
}

// publish sends a message and returns its payload.
func (p *tape) publish(stream int, acknowledged bool) (number uint64, payload []byte) {
	number = p.sending(stream, p.broker)
	if acknowledged {
		p.acknowledged(stream, number)
	}
	return number, appendPayload(nil, p.run, stream, number, p.random)
}

func (p *tape) receive(stream int, payload []byte, identifier uint16, dup bool) {
	p.received(0, p.broker, client.Message{Topic: p.streams[stream].topic, Payload: payload, QoS: 1, ID: identifier, Dup: dup})
}

func (p *tape) connect(present bool) {
	p.connecting(0)
	p.connected(0, p.broker, present)
}

func (p *tape) crash() { p.broker++ }

// steady and other are the two streams of the only publisher.
const (
	steady = 0
	other  = 1
)

// Every story is told to a ledger that knows a session with a steady subscription.
func TestTheLedgerFinds(t *testing.T) {
	stories := []struct {
		name string
		want map[Kind]int
		tell func(p *tape)
	}{
		{"nothing in an ordinary day", nil, func(p *tape) {
			_, a := p.publish(steady, true)
			p.receive(steady, a, 1, false)
			p.acking(0, 1)
			_, b := p.publish(steady, true)
			p.receive(steady, b, 1, false)
		}},
		{"nothing in a redelivery after a crash, under another identifier", nil, func(p *tape) {
			_, a := p.publish(steady, true)
			p.receive(steady, a, 1, false)
			p.crash()
			p.connect(true)
			p.receive(steady, a, 2, true)
		}},
		{"nothing in an unacknowledged message that is gone", nil, func(p *tape) { p.publish(steady, false) }},
		{"a loss", map[Kind]int{Lost: 1}, func(p *tape) { p.publish(steady, true) }},
		{"a loss in the middle", map[Kind]int{Lost: 1}, func(p *tape) {
			p.publish(steady, true)
			_, b := p.publish(steady, true)
			p.receive(steady, b, 1, false)
		}},
		{"a new order", map[Kind]int{Reordered: 1}, func(p *tape) {
			_, a := p.publish(steady, true)
			_, b := p.publish(steady, true)
			p.receive(steady, b, 1, false)
			p.receive(steady, a, 2, false)
		}},
		{"nothing in a redelivery after later messages", nil, func(p *tape) {
			_, a := p.publish(steady, true)
			_, b := p.publish(steady, true)
			p.receive(steady, a, 1, false)
			p.receive(steady, b, 2, false)
			p.connect(true)
			p.receive(steady, a, 1, true)
			p.receive(steady, b, 2, true)
		}},
		{"a second copy without DUP", map[Kind]int{Doubled: 1}, func(p *tape) {
			_, a := p.publish(steady, true)
			p.receive(steady, a, 1, false)
			p.crash()
			p.connect(true)
			p.receive(steady, a, 1, false)
		}},
		{"a second copy on one connection", map[Kind]int{Doubled: 1}, func(p *tape) {
			_, a := p.publish(steady, true)
			p.receive(steady, a, 1, false)
			p.acking(0, 1)
			p.receive(steady, a, 2, true)
		}},
		{"a wrong byte", map[Kind]int{Damaged: 1, Lost: 1}, func(p *tape) {
			_, a := p.publish(steady, true)
			a[len(a)-1]++
			p.receive(steady, a, 1, false)
		}},
		{"a message of somebody else's", map[Kind]int{Damaged: 2}, func(p *tape) {
			p.receive(steady, appendPayload(nil, p.run+1, steady, 1, p.random), 1, false)
			p.receive(steady, appendPayload(nil, p.run, steady, 1, p.random), 1, false)
		}},
		{"a wrong topic", map[Kind]int{Damaged: 1}, func(p *tape) {
			_, a := p.publish(steady, false)
			p.receive(other, a, 1, false)
		}},
		{"a session that is gone", map[Kind]int{NoSession: 1}, func(p *tape) { p.connect(false) }},
		{"an identifier that two messages have", map[Kind]int{Identifier: 1}, func(p *tape) {
			_, a := p.publish(steady, true)
			_, b := p.publish(steady, true)
			p.receive(steady, a, 1, false)
			p.receive(steady, b, 1, false)
		}},
		{"an identifier that changes without a crash", map[Kind]int{Identifier: 1}, func(p *tape) {
			_, a := p.publish(steady, true)
			p.receive(steady, a, 1, false)
			p.connect(true)
			p.receive(steady, a, 2, true)
		}},
		{"a lost message of a subscription that is there for a while", map[Kind]int{Lost: 1}, func(p *tape) {
			p.publish(other, true) // before
			p.subscribing(0, false, other)
			p.publish(other, true) // before SUBACK
			p.subscribed(0, false, other)
			p.publish(other, true) // this one
			early := p.sending(other, 1)
			p.unsubscribing(0, other)
			p.acknowledged(other, early) // may have been routed after UNSUBSCRIBE
			p.publish(other, true)       // after
			p.unsubscribed(0, other)
		}},
		{"a message after UNSUBACK", map[Kind]int{Unsubscribed: 1}, func(p *tape) {
			p.subscribing(0, false, other)
			p.subscribed(0, false, other)
			p.unsubscribing(0, other)
			_, a := p.publish(other, true)
			p.unsubscribed(0, other)
			_, b := p.publish(other, true)
			p.receive(other, a, 1, false)
			p.receive(other, b, 2, false)
		}},
		{"nothing in a message after a second subscription", nil, func(p *tape) {
			for range 2 {
				p.subscribing(0, false, other)
				p.subscribed(0, false, other)
				_, a := p.publish(other, true)
				p.receive(other, a, 1, false)
				p.acking(0, 1)
				p.unsubscribing(0, other)
				p.unsubscribed(0, other)
			}
		}},
		{"an UNSUBSCRIBE without an answer, which may or may not hold", nil, func(p *tape) {
			p.subscribing(0, false, other)
			p.subscribed(0, false, other)
			p.unsubscribing(0, other)
			_, a := p.publish(other, true)
			p.receive(other, a, 1, false)
			p.publish(other, true)
		}},
	}
	for _, story := range stories {
		t.Run(story.name, func(t *testing.T) {
			p := &tape{ledger: newLedger(7, 1, 1), t: t, random: rand.New(rand.NewPCG(1, 1)), broker: 1}
			p.connect(false)
			p.subscribing(0, true, 0)
			p.subscribed(0, true, 0)
			story.tell(p)
			p.audit(true)
			if story.want == nil {
				story.want = map[Kind]int{}
			}
			if p.faults.counts == nil {
				p.faults.counts = map[Kind]int{}
			}
			if diff := cmp.Diff(story.want, p.faults.counts); diff != "" {
				t.Errorf("faults (-want +got):\n%s%v", diff, p.faults.examples)
			}
		})
	}
}

// What a crash has hit is what was acknowledged before it and comes behind it, for the first time or again.
func TestWhatOutlivesTheBrokerIsCounted(t *testing.T) {
	p := &tape{ledger: newLedger(7, 1, 1), t: t, random: rand.New(rand.NewPCG(1, 1)), broker: 1}
	p.connect(false)
	p.subscribing(0, true, 0)
	p.subscribed(0, true, 0)
	_, a := p.publish(steady, true)
	p.receive(steady, a, 1, false)
	_, b := p.publish(steady, true)
	_, c := p.publish(steady, false)
	if p.counts.Outlived != 0 {
		t.Errorf("%d before the broker ended", p.counts.Outlived)
	}
	p.crash()
	p.connect(true)
	p.receive(steady, a, 1, true)
	p.receive(steady, b, 2, true)
	p.receive(steady, c, 3, true) // it need not have come
	_, d := p.publish(steady, true)
	p.receive(steady, d, 4, false)
	if p.counts.Outlived != 2 {
		t.Errorf("%d, want 2", p.counts.Outlived)
	}
}

func TestReport(t *testing.T) {
	r := &Report{Way: "SIGKILL", Durability: "os", Kills: 3, Complete: true, Publishers: 2, Subscribers: 1,
		Counts: Counts{Published: 10, Acknowledged: 9, Received: 9, Outlived: 1}, FaultsByKind: map[Kind]int{Lost: 0}}
	var text bytes.Buffer
	r.Print(&text)
	if !r.OK() || !strings.Contains(text.String(), "Nothing that was acknowledged is lost") || !strings.Contains(text.String(), "the other 1 were") {
		t.Errorf("OK %v\n%s", r.OK(), &text)
	}
	for name, change := range map[string]func(*Report){
		"a fault":    func(r *Report) { r.FaultsByKind = map[Kind]int{Lost: 1}; r.Examples = []Fault{{Lost, "one\ntwo"}} },
		"no risk":    func(r *Report) { r.Outlived = 0 },
		"incomplete": func(r *Report) { r.Complete = false },
	} {
		bad := *r
		change(&bad)
		text.Reset()
		bad.Print(&text)
		if bad.OK() || strings.Contains(text.String(), "Nothing that was acknowledged is lost") {
			t.Errorf("%s: OK %v\n%s", name, bad.OK(), &text)
		}
	}
	encoded, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(encoded), `"acknowledged":9`) || !strings.Contains(string(encoded), `"faults":{"lost":0}`) {
		t.Errorf("%s, %v", encoded, err)
	}
}
