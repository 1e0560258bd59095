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
		if parts < 3 {
			t.Fatalf("seed %d: %d parts", seed, parts)
		}
		c.compare(st)
	}
}

// compare compares a session with what was read of it.
func (c *changing) compare(st *state) {
	c.t.Helper()
	got := c.to.session(c.id)
	if got == nil || got.partial {
		c.t.Fatalf("the session is not there (%t), or not as a whole", got == nil)
	}
	subscriptions := func(st *state) []session.Subscription {
		return slices.SortedFunc(slices.Values(st.subscriptions()), func(a, b session.Subscription) int {
			return strings.Compare(a.Filter, b.Filter)
		})
	}
	if a, b := subscriptions(st), subscriptions(got); !slices.Equal(a, b) {
		c.t.Fatalf("%d subscriptions, read as %d, or with another QoS", len(a), len(b))
	}
	full := func(st *state) []queue.Place {
		return slices.DeleteFunc(slices.Clone(st.queue.Live()), queue.Place.Empty)
	}
	if a, b := full(st), full(got); !slices.Equal(a, b) {
		c.t.Fatalf("the queue is %v, and was read as %v", a, b)
	}
	if a, b := c.from.table.size().messages, c.to.table.size().messages; a != b {
		c.t.Fatalf("%d messages, read as %d", a, b)
	}
	sh, want := c.to.shard(c.id), c.from.shard(c.id)
	if sh.queued != want.queued || sh.filters != want.filters || sh.names != want.names {
		c.t.Fatalf("counted %+v, want %+v", sh, want)
	}
	c.to.close(c.id, got)
	if size := c.to.table.size(); size.messages != 0 || sh.queued != 0 || sh.slots != 0 || sh.names != 0 {
		c.t.Fatalf("what is left is %+v, %+v", size, sh)
	}
}

// A checkpoint behind a damaged place is believed when it has all of a session, and not before: if it is not completed,
// or damaged too, the session is what all the other records say.
func TestPartsBehindDamage(t *testing.T) {
	for seed := range uint64(100) {
		c := newChanging(t, seed)
		st := c.from.open(c.id, "a")
		c.record(appendOpened(nil, c.id, "a"))
		for range 200 {
			c.change(st)
		}
		c.read.damage()
		lost := 1 + c.r.IntN(3) // this part is damaged
		if seed%3 == 0 {
			lost = -1
		}
		var p progress
		written := 0
		for complete := false; !complete; written++ {
			b := []byte{recPart}
			b, complete = c.from.appendPart(b, c.id, st, &p, 5)
			if seed%3 == 1 && written == lost {
				break // the process was killed
			}
			if written == lost {
				c.read.damage()
			} else {
				c.record(b)
			}
			for range c.r.IntN(4) {
				c.change(st)
			}
		}
		for range 20 {
			c.change(st)
		}
		c.read.settle()
		c.compare(st)
	}
}

// All that is known of a session is a checkpoint, of which a part is damaged. What is in other parts, and what came
// behind, is read.
func TestPartsAroundDamage(t *testing.T) {
	for lost := range 4 {
		c := newChanging(t, 1)
		st := c.from.open(c.id, "a")
		add := func() {
			c.refs++
			pos := c.pos
			head := appendMessageHead(nil, recMessage, messageHead{ref: c.refs, topic: 1, targets: 1})
			c.record(appendTargets(append(head, 't'), []session.ID{c.id}))
			c.from.message(c.refs, pos, messageHead{topic: 1}.packetSize(), 0, []session.ID{c.id})
		}
		for range 20 {
			add()
		}
		var p progress
		for part := 0; part < 4; part++ {
			b, complete := c.from.appendPart([]byte{recPart}, c.id, st, &p, 6)
			if complete != (part == 3) {
				t.Fatalf("part %d is complete: %v", part, complete)
			}
			if part == lost {
				c.read.damage()
			} else {
				c.record(b)
			}
			add()
		}
		add()
		c.read.settle()
		got := c.to.session(c.id)
		if lost == 0 {
			if got != nil {
				t.Errorf("without its beginning, the session is %+v", got)
			}
			continue
		}
		want := slices.Clone(st.queue.Live())
		switch lost {
		case 3: // it had 19 to 23
			want = slices.Delete(want, 18, 23)
		default:
			want = slices.Delete(want, 6*lost, 6*lost+6)
		}
		if got == nil || !slices.Equal(got.queue.Live(), want) {
			t.Errorf("without part %d, the queue is not %v", lost, want)
		}
	}
}
