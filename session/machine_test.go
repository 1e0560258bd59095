package session_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sampan/session"
)

// TestSessionAgainstModel drives a session and a list of messages through the same random calls: sent or
// queued, acknowledged in any order, connections that come and go, a broker that restarts, a store that
// answers late or has lost messages. The store must know of every message exactly what the model knows.
//
// MQTT-2.3.1-4 MQTT-3.1.2-4 MQTT-3.1.2-5 MQTT-3.3.1-1 MQTT-4.1.0-1 MQTT-4.3.2-1 MQTT-4.4.0-1 MQTT-4.5.0-1
// MQTT-4.6.0-1
func TestSessionAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { newMachine(t, true).run() })
}

// A session that ends with its connection has the same rules without a store.
func TestCleanSessionAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { newMachine(t, false).run() })
}

// item is what the model knows of one message.
type item struct {
	m    *session.Message
	id   uint16 // 0: it waits
	send bool   // in flight, and still to be sent again on this connection
	lost bool   // waits, but the store has lost it and the session knows
	dup  bool   // waits, and may have been sent before the store stopped
}

type machine struct {
	t          *rapid.T
	store      *shelf
	persistent bool
	s          *session.Session
	opts       session.Options
	budget     *session.Budget
	most       int // the largest HoldBytes so far
	now        session.Time
	online     bool
	published  uint64
	inFlight   []item // in the order of their first sending
	waiting    []item
	late       []session.Ref // asked for by Wanted, not yet answered
	want       session.Counters
	subs       map[string]byte
}

func newMachine(t *rapid.T, persistent bool) *machine {
	m := &machine{t: t, store: newShelf(t), persistent: persistent, now: 1000, subs: map[string]byte{}, online: true}
	m.budget = &session.Budget{MaxMessages: rapid.Int64Range(0, 20).Draw(t, "total messages")}
	m.opts = drawOptions(t, m.budget)
	if persistent {
		s, err := session.Create(m.store, "client", m.opts)
		if err != nil {
			t.Fatal(err)
		}
		m.s = s
	} else {
		m.s = session.New(m.opts)
	}
	return m
}

func drawOptions(t *rapid.T, b *session.Budget) session.Options {
	return session.Options{
		Window:      rapid.IntRange(1, 9).Draw(t, "window"),
		MaxMessages: rapid.IntRange(1, 12).Draw(t, "max messages"),
		MaxBytes:    rapid.Int64Range(40, 400).Draw(t, "max bytes"),
		DropNewest:  rapid.Bool().Draw(t, "drop newest"),
		HoldBytes:   rapid.IntRange(1, 100).Draw(t, "hold bytes"),
		Budget:      b,
	}
}

func (m *machine) run() {
	actions := map[string]func(*rapid.T){
		"publish":     m.publish,
		"cross":       m.cross,
		"next":        m.next,
		"drain":       m.drain,
		"ack":         m.ack,
		"bogus ack":   m.bogusAck,
		"time":        m.time,
		"options":     m.options,
		"subscribe":   m.subscribe,
		"unsubscribe": m.unsubscribe,
		"":            m.check,
	}
	if m.persistent {
		actions["load"] = m.load
		actions["ask"] = m.ask
		actions["lose"] = m.lose
		actions["disconnect"] = m.disconnect
		actions["resume"] = m.resume
		actions["restart"] = m.restart
	}
	m.t.Repeat(actions)
	m.end()
}

func (m *machine) waitingBytes() (n int64) {
	for _, i := range m.waiting {
		n += int64(i.m.Size())
	}
	return n
}

func (m *machine) resending() bool {
	return slices.ContainsFunc(m.inFlight, func(i item) bool { return i.send })
}

func (m *machine) publish(t *rapid.T) { m.deliver(t, m.message(t)) }

// cross publishes two messages that reach the session in another order than the store, as those of two
// publishers may.
func (m *machine) cross(t *rapid.T) {
	first, second := m.message(t), m.message(t)
	m.deliver(t, second)
	m.deliver(t, first)
}

// message publishes a message as far as the store.
func (m *machine) message(t *rapid.T) *session.Message {
	m.published++
	payload := binary.BigEndian.AppendUint64(nil, m.published)
	payload = append(payload, make([]byte, rapid.SampledFrom([]int{0, 1, 30, 120, 500}).Draw(t, "size"))...)
	expires := session.Time(0)
	if rapid.Bool().Draw(t, "expires") {
		expires = m.now + session.Time(rapid.IntRange(1, 50).Draw(t, "expires in"))
	}
	msg := session.NewMessage([]byte("a/b"), payload, expires)
	var to []session.ID // a message for a clean session may be stored for others
	if m.persistent {
		to = append(to, m.s.ID())
	}
	if m.persistent || rapid.Bool().Draw(t, "stored for others") {
		if err := m.store.Append(msg, to); err != nil {
			t.Fatal(err)
		}
	}
	return msg
}

// deliver hands a message to the session.
func (m *machine) deliver(t *rapid.T, msg *session.Message) {
	if m.online {
		room := len(m.inFlight) < m.opts.Window && len(m.waiting) == 0 && !m.resending()
		id, ok := m.s.Send(msg)
		if ok != room {
			t.Fatalf("Send: %v, but %d in flight in a window of %d, %d waiting", ok, len(m.inFlight), m.opts.Window, len(m.waiting))
		}
		if ok {
			m.sent(t, item{m: msg}, id)
			return
		}
	}
	m.s.Enqueue(msg)
	if int64(msg.Size()) > m.opts.MaxBytes {
		m.want.Full++
		return
	}
	for len(m.waiting) >= m.opts.MaxMessages || m.waitingBytes()+int64(msg.Size()) > m.opts.MaxBytes {
		if m.opts.DropNewest {
			m.want.Full++
			return
		}
		if !m.waiting[0].lost {
			m.want.Full++
		}
		m.waiting = m.waiting[1:]
	}
	if m.budget.MaxMessages > 0 && int64(len(m.waiting)) >= m.budget.MaxMessages {
		m.want.OverBudget++
		return
	}
	m.waiting = append(m.waiting, item{m: msg})
}

// sent notes a message that has been given an identifier, which must not be in use [MQTT-2.3.1-4].
func (m *machine) sent(t *rapid.T, i item, id uint16) {
	if id == 0 {
		t.Fatalf("identifier 0 [MQTT-2.3.1-1]")
	}
	for _, other := range m.inFlight {
		if other.id == id {
			t.Fatalf("identifier %d is in flight already", id)
		}
	}
	i.id = id
	m.inFlight = append(m.inFlight, i)
}

// next takes what the session sends next and compares it with what the model would.
func (m *machine) next(t *rapid.T) {
	if m.online {
		m.step(t)
	}
}

func (m *machine) drain(t *rapid.T) {
	for m.online && m.step(t) {
	}
}

func (m *machine) step(t *rapid.T) (more bool) {
	out, result := m.s.Next(m.now)
	if result == session.NotLoaded {
		if !m.persistent {
			t.Fatal("a session without a store wants a message loaded")
		}
		refs := m.wanted(t)
		m.passOver(t, refs[0])
		return m.answer(t, refs, 0)
	}
	for i := range m.inFlight {
		if f := &m.inFlight[i]; f.send {
			f.send = false
			m.want.Redelivered++
			if result != session.Ready || out.ID != f.id || !out.Redelivery || !same(out.Message, f.m) {
				t.Fatalf("Next: %v id %d redelivery %v, want message %d again under identifier %d",
					result, out.ID, out.Redelivery, number(f.m), f.id)
			}
			return true
		}
	}
	for len(m.waiting) > 0 && len(m.inFlight) < m.opts.Window {
		i := m.waiting[0]
		m.waiting = m.waiting[1:]
		if i.lost {
			continue
		}
		if i.m.Expired(m.now) {
			m.want.Expired++
			continue
		}
		if result != session.Ready || out.Redelivery != i.dup || !same(out.Message, i.m) {
			t.Fatalf("Next: %v id %d redelivery %v, want message %d", result, out.ID, out.Redelivery, number(i.m))
		}
		m.sent(t, i, out.ID)
		return true
	}
	if result != session.Nothing {
		t.Fatalf("Next: %v id %d, want nothing", result, out.ID)
	}
	return false
}

// passOver takes off what Next has dropped before it came to a message that must be loaded.
func (m *machine) passOver(t *rapid.T, next session.Ref) {
	for _, i := range m.inFlight {
		if i.send {
			return
		}
	}
	for len(m.waiting) > 0 && m.waiting[0].m.Ref() != next {
		i := m.waiting[0]
		if !i.lost {
			if !i.m.Expired(m.now) {
				t.Fatalf("message %d is wanted before message %d", next, i.m.Ref())
			}
			m.want.Expired++
		}
		m.waiting = m.waiting[1:]
	}
}

func number(m *session.Message) uint64 { return binary.BigEndian.Uint64(m.Payload()) }

func same(a, b *session.Message) bool {
	return a != nil && number(a) == number(b) && a.Ref() == b.Ref()
}

// wanted asks the session what it wants loaded. The first is what keeps it from going on.
func (m *machine) wanted(t *rapid.T) []session.Ref {
	refs := make([]session.Ref, rapid.IntRange(1, 5).Draw(t, "batch"))
	refs = refs[:m.s.Wanted(refs)]
	if len(refs) == 0 {
		t.Fatal("a message must be loaded, but none is wanted")
	}
	return refs
}

// answer loads messages, in any order, all but the last few, which come later or never.
func (m *machine) answer(t *rapid.T, refs []session.Ref, keep int) bool {
	for len(refs) > keep {
		i := rapid.IntRange(0, len(refs)-1).Draw(t, "answer")
		r := refs[i]
		refs = slices.Delete(refs, i, i+1)
		msg, err := m.store.Load(r)
		if err != nil {
			msg = nil
			if m.s.Unread(r) {
				m.lostMessage(r)
			}
		}
		m.s.Loaded(r, msg)
	}
	m.late = append(m.late, refs...)
	return true
}

// lostMessage is called when the session learns that a message which it does not hold cannot be read.
func (m *machine) lostMessage(r session.Ref) {
	m.want.Lost++
	m.inFlight = slices.DeleteFunc(m.inFlight, func(i item) bool { return i.m.Ref() == r })
	for i := range m.waiting {
		if m.waiting[i].m.Ref() == r {
			m.waiting[i].lost = true
		}
	}
}

// ask has the session ask for messages, and gets the answers later (load), when much may have changed.
func (m *machine) ask(t *rapid.T) {
	refs := make([]session.Ref, 4)
	m.answer(t, refs[:m.s.Wanted(refs)], 4)
}

func (m *machine) load(t *rapid.T) {
	late := m.late
	m.late = nil
	m.answer(t, late, rapid.IntRange(0, 2).Draw(t, "keep"))
}

// lose makes the store forget the content of a message.
func (m *machine) lose(t *rapid.T) {
	if m.store.last > 0 {
		m.store.lost[session.Ref(rapid.Uint64Range(1, uint64(m.store.last)).Draw(t, "lose"))] = true
	}
}

func (m *machine) ack(t *rapid.T) {
	if len(m.inFlight) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.inFlight)-1).Draw(t, "ack")
	if !m.s.Ack(m.inFlight[i].id) {
		t.Fatalf("Ack(%d) of a message in flight: false", m.inFlight[i].id)
	}
	if m.s.Ack(m.inFlight[i].id) {
		t.Fatalf("second Ack(%d): true", m.inFlight[i].id)
	}
	m.inFlight = slices.Delete(m.inFlight, i, i+1)
}

func (m *machine) bogusAck(t *rapid.T) {
	id := uint16(rapid.IntRange(0, 20).Draw(t, "id"))
	if rapid.Bool().Draw(t, "any") {
		id = rapid.Uint16().Draw(t, "any id")
	}
	for _, i := range m.inFlight {
		if i.id == id {
			return
		}
	}
	if m.s.Ack(id) {
		t.Fatalf("Ack(%d) of nothing: true", id)
	}
}

func (m *machine) time(t *rapid.T) { m.now += session.Time(rapid.IntRange(1, 30).Draw(t, "ms")) }

func (m *machine) options(t *rapid.T) {
	m.opts = drawOptions(t, nil) // SetOptions keeps the budget
	m.s.SetOptions(m.opts)
}

func (m *machine) subscribe(t *rapid.T) {
	filter, qos := rapid.SampledFrom([]string{"a", "b", "+"}).Draw(t, "filter"), byte(rapid.IntRange(0, 1).Draw(t, "qos"))
	_, had := m.subs[filter]
	if added := m.s.Subscribe(filter, qos); added == had {
		t.Fatalf("Subscribe(%q): added %v", filter, added)
	}
	m.subs[filter] = qos
}

func (m *machine) unsubscribe(t *rapid.T) {
	filter := rapid.SampledFrom([]string{"a", "b", "+"}).Draw(t, "filter")
	_, had := m.subs[filter]
	if removed := m.s.Unsubscribe(filter); removed != had {
		t.Fatalf("Unsubscribe(%q): removed %v", filter, removed)
	}
	delete(m.subs, filter)
}

func (m *machine) disconnect(t *rapid.T) {
	if m.online {
		until := session.Time(0)
		if rapid.Bool().Draw(t, "expires") {
			until = m.now + 500
		}
		m.s.Disconnect(until)
		m.flush()
		if got := m.store.sessions[m.s.ID()]; got.connected || got.until != until {
			t.Fatalf("the store has %+v of a session that was left", got)
		}
		m.online = false
		for i := range m.inFlight {
			m.inFlight[i].send = false
		}
	}
}

func (m *machine) resume(t *rapid.T) {
	if !m.online {
		m.s.Resume()
		m.online = true
		for i := range m.inFlight {
			m.inFlight[i].send = true
		}
	}
}

// restart throws the session away and makes a new one of what the store has.
func (m *machine) restart(t *rapid.T) {
	m.flush()
	m.count()
	id := m.s.ID()
	m.budget = &session.Budget{MaxMessages: m.budget.MaxMessages}
	m.opts.Budget = m.budget
	found := m.store.recovered(id)
	m.s = session.Restore(m.store, found, m.opts)
	m.online, m.late = false, nil
	byRef := func(a, b item) int { return int(a.m.Ref()) - int(b.m.Ref()) }
	slices.SortFunc(m.waiting, byRef) // what is in flight stays in the order in which it was sent
	for i := range m.inFlight {
		m.inFlight[i].send = false
	}
	for i := range m.waiting {
		m.waiting[i].lost = false
		m.waiting[i].dup = m.waiting[i].dup || found.Connected
	}
}

func (m *machine) flush() {
	if _, err := m.s.Flush(); err != nil {
		m.t.Fatal(err)
	}
	if noted, _ := m.s.Flush(); noted {
		m.t.Fatal("the second Flush had something to say")
	}
}

// count compares the counters. The model takes what has been compared off its own.
func (m *machine) count() {
	if got := m.s.Counters(); got != m.want {
		m.t.Fatalf("counters %+v, want %+v", got, m.want)
	}
	if again := m.s.Counters(); again != (session.Counters{}) {
		m.t.Fatalf("counters do not start again: %+v", again)
	}
	m.want = session.Counters{}
}

// check holds after every step.
func (m *machine) check(t *rapid.T) {
	m.flush()
	m.count()
	if n, bytes := m.s.Queued(); n != len(m.waiting) || bytes != m.waitingBytes() {
		t.Fatalf("%d messages of %d bytes wait, want %d of %d", n, bytes, len(m.waiting), m.waitingBytes())
	}
	if n := m.s.InFlight(); n != len(m.inFlight) {
		t.Fatalf("%d in flight, want %d", n, len(m.inFlight))
	}
	if w := m.s.Waiting(); w != (len(m.waiting) > 0 || m.resending()) {
		t.Fatalf("Waiting is %v with %d waiting, resending %v", w, len(m.waiting), m.resending())
	}
	if m.budget.Messages() != int64(len(m.waiting)) || m.budget.Bytes() != m.waitingBytes() {
		t.Fatalf("budget has %d messages of %d bytes, want %d of %d",
			m.budget.Messages(), m.budget.Bytes(), len(m.waiting), m.waitingBytes())
	}
	if m.s.SubscriptionCount() != len(m.subs) {
		t.Fatalf("%d subscriptions, want %v", m.s.SubscriptionCount(), m.subs)
	}
	for filter, qos := range m.s.Subscriptions() {
		if want, ok := m.subs[filter]; !ok || want != qos {
			t.Fatalf("subscription %q with QoS %d, want %v", filter, qos, m.subs)
		}
	}
	if m.persistent {
		m.checkStore()
		m.checkMemory()
	}
}

// checkMemory looks at what the session holds of messages that the store has: no more than it may, and nothing
// without a connection or of what has been sent.
func (m *machine) checkMemory() {
	waiting, inFlight, counted := m.s.InMemory()
	if waiting+inFlight != counted {
		m.t.Fatalf("%d bytes of what waits and %d of what is in flight are in memory, and %d are counted", waiting, inFlight, counted)
	}
	if m.most = max(m.most, m.opts.HoldBytes); counted > m.most+520 { // and the next message
		m.t.Fatalf("%d bytes are in memory, and may be %d", counted, m.most)
	}
	if !m.online && counted > 0 || !m.resending() && inFlight > 0 {
		m.t.Fatalf("%d bytes of what waits and %d of what is in flight are in memory: online %v, resending %v",
			waiting, inFlight, m.online, m.resending())
	}
}

// checkStore compares what the store has of the session with the model.
func (m *machine) checkStore() {
	got := m.store.sessions[m.s.ID()]
	want := map[session.Ref]uint16{}
	for _, i := range m.inFlight {
		want[i.m.Ref()] = i.id
	}
	for _, i := range m.waiting {
		want[i.m.Ref()] = 0
	}
	for _, q := range got.queue {
		id, ok := want[q.Ref]
		if !ok || id != q.PacketID {
			m.t.Fatalf("the store has message %d as %d, want %v", q.Ref, q.PacketID, want)
		}
		delete(want, q.Ref)
	}
	if len(want) > 0 {
		m.t.Fatalf("the store has not: %v", want)
	}
	if len(got.subs) != len(m.subs) {
		m.t.Fatalf("the store has subscriptions %v, want %v", got.subs, m.subs)
	}
}

// end closes the session: nothing is left of it anywhere.
func (m *machine) end() {
	m.s.Close()
	m.s.Close()
	m.flush()
	if m.persistent && len(m.store.sessions) != 0 {
		m.t.Fatalf("the store still has %v", m.store.sessions)
	}
	if m.budget.Messages() != 0 || m.budget.Bytes() != 0 {
		m.t.Fatalf("budget after the end: %d messages, %d bytes", m.budget.Messages(), m.budget.Bytes())
	}
	if !m.s.Closed() || m.s.Waiting() || m.s.InFlight() != 0 {
		m.t.Fatal("a closed session still has something")
	}
	if _, ok := m.s.Send(session.NewMessage([]byte("a"), nil, 0)); ok {
		m.t.Fatal("a closed session sends")
	}
	m.s.Enqueue(session.NewMessage([]byte("a"), nil, 0))
	if n, _ := m.s.Queued(); n != 0 || m.budget.Messages() != 0 {
		m.t.Fatal("a closed session queues")
	}
}
