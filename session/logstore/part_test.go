package logstore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sampan/session"
	"sampan/session/internal/queue"
	"sampan/session/wal"
)

// changing is an index that is used while a session is written down, part by part, and another that reads the
// records of both.
type changing struct {
	t        *testing.T
	r        *rand.Rand
	from, to index
	read     recovery
	id       session.ID
	pos      wal.Pos
	refs     session.Ref
}

func newChanging(t *testing.T, seed uint64) *changing {
	c := &changing{t: t, r: rand.New(rand.NewPCG(seed, 0)), id: 7, pos: wal.At(1, 4096)}
	c.from.init()
	c.to.init()
	c.read.index = &c.to
	return c
}

// record has the other index read a record.
func (c *changing) record(rec []byte) {
	c.t.Helper()
	if err := c.read.apply(c.pos, rec); err != nil {
		c.t.Fatal(err)
	}
	c.pos = wal.At(1, c.pos.Offset()+8)
}

// change makes a change at random.
func (c *changing) change(st *state) {
	change := session.Change{Kind: session.Subscribed, Session: c.id, Filter: fmt.Sprint(c.r.IntN(80), strings.Repeat("x", 1000))}
	switch c.r.IntN(4) {
	case 0:
		change.Kind = session.Unsubscribed
	case 1:
		change.QoS = 1
	case 2:
		c.refs++
		pos := c.pos
		head := appendMessageHead(nil, recMessage, messageHead{ref: c.refs, topic: 1, targets: 1})
		c.record(appendTargets(append(head, 't'), []session.ID{c.id}))
		c.from.message(c.refs, pos, messageHead{topic: 1}.packetSize(), 0, []session.ID{c.id})
		return
	case 3:
		change = session.Change{Kind: session.Done, Session: c.id, Ref: session.Ref(1 + c.r.IntN(int(c.refs)+1))}
	}
	c.record(appendChange([]byte{recChanges}, &change))
	c.from.change(st, &change)
}

// A session that is too large for a record is in several, its filters too, and what happens to it between them is
// not lost. Nor is it doubled where the session is known already.
func TestPartsOfASessionThatChanges(t *testing.T) {
	for seed := range uint64(50) {
		c := newChanging(t, seed)
		st := c.from.open(c.id, "a")
		if seed%2 == 0 {
			c.record(appendOpened(nil, c.id, "a"))
		}
		for range 200 {
			c.change(st)
		}
		var p progress
		parts := 0
		for complete := false; !complete; parts++ {
			if parts > 1000 {
				t.Fatalf("seed %d: no end", seed)
			}
			b := []byte{recPart}
			b, complete = c.from.appendPart(b, c.id, st, &p, 5)
			if most := partBytes + 1100 + 5*30; len(b) > most {
				t.Fatalf("seed %d: part %d has %d bytes, more than %d", seed, parts, len(b), most)
			}
			c.record(b)
			for range c.r.IntN(4) {
				c.change(st)
			}
		}
		got := c.to.session(c.id)
		if parts < 3 || got == nil || got.partial {
			t.Fatalf("seed %d: %d parts, read as %+v", seed, parts, got)
		}
		subscriptions := func(st *state) []session.Subscription {
			return slices.SortedFunc(slices.Values(st.subscriptions()), func(a, b session.Subscription) int {
				return strings.Compare(a.Filter, b.Filter)
			})
		}
		if a, b := subscriptions(st), subscriptions(got); !slices.Equal(a, b) {
			t.Fatalf("seed %d: %d subscriptions, read as %d, or with another QoS", seed, len(a), len(b))
		}
		full := func(st *state) []queue.Place {
			return slices.DeleteFunc(slices.Clone(st.queue.Live()), queue.Place.Empty)
		}
		if a, b := full(st), full(got); !slices.Equal(a, b) {
			t.Fatalf("seed %d: the queue is %v, and was read as %v", seed, a, b)
		}
	}
}
