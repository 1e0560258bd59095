package logstore_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sampan/fuzz/storetest"
	"sampan/session"
	"sampan/session/logstore"
	"sampan/session/wal"
	"sampan/session/wal/vfs/simdisk"
)

// TestSessionsAgainstCrashes drives sessions on the store through random calls, kills, power cuts and
// recoveries, and looks at them as clients do. Their model is what was published for them and what they have
// received. Nothing that was acknowledged may be lost, come out of order, come again without DUP or under
// another identifier, or come back once its acknowledgement held; and what the store holds after a crash must
// be what the sessions had told it up to some moment not before the last sync.
//
// MQTT-2.3.1-4 MQTT-3.1.2-4 MQTT-3.1.2-5 MQTT-3.3.1-1 MQTT-4.4.0-1 MQTT-4.6.0-1
func TestSessionsAgainstCrashes(t *testing.T) {
	levels(t, func(t *testing.T, o logstore.Options) {
		rapid.Check(t, func(t *rapid.T) {
			w := &world{t: t, o: o, disk: simdisk.New(), life: &life{base: storetest.NewModel()}, now: 1000}
			for i := range 3 {
				w.devices = append(w.devices, &device{identity: fmt.Sprint("device", i)})
			}
			w.open()
			defer func() { w.store.Store.Close() }()
			t.Repeat(map[string]func(*rapid.T){
				"publish":    w.publish,
				"hold":       func(*rapid.T) { w.hold() },
				"connect":    w.each((*device).connect),
				"disconnect": w.each((*device).disconnect),
				"receive":    w.each((*device).receive),
				"drain":      w.each((*device).drain),
				"puback":     w.each((*device).puback),
				"subscribe":  w.each((*device).subscribe),
				"end":        w.each((*device).end),
				"time":       func(t *rapid.T) { w.now += session.Time(rapid.IntRange(1, 30).Draw(t, "ms")) },
				"crash":      w.crash,
			})
			// In the end everybody comes and takes everything.
			for _, d := range w.devices {
				d.connect(w)
				d.drain(w)
			}
		})
	})
}

// recorder is a store that notes what sessions have it do.
type recorder struct {
	session.Store
	life *life
}

func (r *recorder) Open(identity string) (session.ID, error) {
	id, err := r.Store.Open(identity)
	if err == nil {
		r.life.note(func(m *storetest.Model) { m.Open(id, identity) })
	}
	return id, err
}

func (r *recorder) Append(m *session.Message, to []session.ID) error {
	err := r.Store.Append(m, to)
	if to = slices.Clone(to); err == nil && m.Ref() != 0 {
		r.life.note(func(model *storetest.Model) { model.Append(m, to) })
	}
	return err
}

func (r *recorder) Record(changes []session.Change) error {
	err := r.Store.Record(changes)
	if changes = slices.Clone(changes); err == nil {
		r.life.note(func(m *storetest.Model) {
			for _, c := range changes {
				m.Record(c)
			}
		})
	}
	return err
}

// world is a broker without sockets, its disk, and its clients.
type world struct {
	t         *rapid.T
	o         logstore.Options
	disk      *simdisk.Disk
	life      *life
	store     recorder
	now       session.Time
	published uint64
	devices   []*device
}

// device is a client with a persistent session, and what it may rely on.
type device struct {
	identity string
	s        *session.Session // nil: none
	held     bool             // CONNACK: that there is a session is synced
	online   bool
	crashed  bool // the broker has died since the session began, so DUP may be set on what was never received
	owed     []*owed
	last     uint64 // number of the last message on this connection
	filters  int
}

// owed is a message on its way to a device.
type owed struct {
	number   uint64
	m        *session.Message
	held     bool   // PUBACK to its publisher
	received bool   // on any connection
	here     bool   // on this one
	id       uint16 // its packet identifier; 0: none, or not known since a crash
	acked    bool   // PUBACK from the device
	gone     bool   // and that is synced
}

func (w *world) each(do func(*device, *world)) func(*rapid.T) {
	return func(t *rapid.T) { do(w.devices[rapid.IntRange(0, len(w.devices)-1).Draw(t, "device")], w) }
}

func (w *world) open() {
	o := w.o
	o.FS = w.disk.FS()
	s, err := logstore.Open("", o)
	if err != nil {
		w.t.Fatalf("open: %v", err)
	}
	if err := w.life.recovered(s); err != nil {
		w.t.Fatal(err)
	}
	w.store = recorder{s, w.life}
}

// hold waits until everything so far is synced: only then are publishers and devices answered.
func (w *world) hold() {
	done := make(chan error, 1)
	w.life.sync(w.store.Store, func(err error) { done <- err })
	if err := <-done; err != nil {
		w.t.Fatalf("sync: %v", err)
	}
	for _, d := range w.devices {
		d.held = d.s != nil
		for _, o := range d.owed {
			o.held, o.gone = true, o.acked
		}
		d.owed = slices.DeleteFunc(d.owed, func(o *owed) bool { return o.gone })
	}
}

func (w *world) publish(t *rapid.T) {
	w.published++
	payload := binary.BigEndian.AppendUint64(nil, w.published)
	payload = append(payload, make([]byte, rapid.SampledFrom([]int{0, 50, 3000}).Draw(t, "size"))...)
	expires := session.Time(0)
	if rapid.IntRange(0, 3).Draw(t, "expires") == 0 {
		expires = w.now + session.Time(rapid.IntRange(1, 60).Draw(t, "expires in"))
	}
	m := session.NewMessage([]byte("a/b"), payload, expires)
	var to []session.ID
	var devices []*device
	for _, d := range w.devices {
		if d.s != nil && rapid.IntRange(0, 3).Draw(t, "for "+d.identity) > 0 {
			to, devices = append(to, d.s.ID()), append(devices, d)
		}
	}
	if err := w.store.Append(m, to); err != nil {
		w.t.Fatal(err)
	}
	for _, d := range devices {
		o := &owed{number: w.published, m: m}
		d.owed = append(d.owed, o)
		if d.online {
			if id, ok := d.s.Send(m); ok {
				d.got(w, session.Outgoing{Message: m, ID: id})
				d.flush(w)
				continue
			}
		}
		d.s.Enqueue(m)
		d.flush(w)
	}
}

func (w *world) options() session.Options {
	return session.Options{Window: 5, HoldBytes: 200, Budget: new(session.Budget)}
}

func (d *device) flush(w *world) {
	if _, err := d.s.Flush(); err != nil {
		w.t.Fatal(err)
	}
}

func (d *device) connect(w *world) {
	if d.online {
		return
	}
	if d.s == nil {
		s, err := session.Create(&w.store, d.identity, w.options())
		if err != nil {
			w.t.Fatal(err)
		}
		*d = device{identity: d.identity, s: s}
	}
	d.s.Resume()
	d.flush(w)
	w.hold() // before CONNACK, and so before any message
	d.online, d.last = true, 0
	for _, o := range d.owed {
		o.here = false
	}
}

func (d *device) disconnect(w *world) {
	if d.online {
		d.s.Disconnect(w.until())
		d.flush(w)
		d.online = false
	}
}

// until is when a session expires that is left now: it may be never.
func (w *world) until() session.Time {
	if rapid.Bool().Draw(w.t, "unlimited") {
		return 0
	}
	return w.now + 1_000_000
}

// end is a CONNECT that wants a clean session; its CONNACK waits until that is synced.
func (d *device) end(w *world) {
	if d.s != nil && rapid.IntRange(0, 4).Draw(w.t, "end") == 0 {
		d.s.Close()
		d.flush(w)
		*d = device{identity: d.identity}
		w.hold()
	}
}

func (d *device) subscribe(w *world) {
	if d.s == nil {
		return
	}
	filter := fmt.Sprint("f", d.filters%3)
	if d.filters++; d.filters%2 == 0 {
		d.s.Unsubscribe(filter)
	} else {
		d.s.Subscribe(filter, byte(d.filters/3%2))
	}
	d.flush(w)
}

// receive takes the next message, if there is one.
func (d *device) receive(w *world) { d.next(w) }

func (d *device) next(w *world) bool {
	for d.online {
		out, result := d.s.Next(w.now)
		d.flush(w)
		switch result {
		case session.Nothing:
			return false
		case session.Ready:
			d.got(w, out)
			return true
		}
		refs := make([]session.Ref, 3)
		for _, r := range refs[:d.s.Wanted(refs)] {
			m, err := w.store.Load(r)
			if err != nil {
				w.t.Fatalf("%s: message %d cannot be loaded: %v", d.identity, r, err)
			}
			d.s.Loaded(r, m)
		}
	}
	return false
}

// got checks a message that has come.
func (d *device) got(w *world, out session.Outgoing) {
	number := binary.BigEndian.Uint64(out.Message.Payload())
	i := slices.IndexFunc(d.owed, func(o *owed) bool { return o.number == number })
	if i < 0 {
		w.t.Fatalf("%s got message %d, which was not for it, or came to its end before", d.identity, number)
	}
	o := d.owed[i]
	switch {
	case number <= d.last:
		w.t.Fatalf("%s got message %d after message %d", d.identity, number, d.last)
	case o.received && !out.Redelivery:
		w.t.Fatalf("%s got message %d again without DUP", d.identity, number)
	case out.Redelivery && !o.received && !d.crashed:
		w.t.Fatalf("%s got message %d for the first time, with DUP", d.identity, number)
	case o.id != 0 && o.id != out.ID:
		w.t.Fatalf("%s got message %d as %d, and now as %d", d.identity, number, o.id, out.ID)
	case o.id == 0 && o.m.Expired(w.now):
		w.t.Fatalf("%s got message %d, which had expired", d.identity, number)
	}
	for _, other := range d.owed {
		if other != o && other.here && !other.acked && other.id == out.ID {
			w.t.Fatalf("%s got message %d under identifier %d, which message %d has", d.identity, number, out.ID, other.number)
		}
	}
	d.last = number
	o.received, o.here, o.id = true, true, out.ID
}

// drain takes and acknowledges until nothing comes any more. Then everything has come.
func (d *device) drain(w *world) {
	if !d.online {
		return
	}
	for more := true; more; {
		more = d.next(w)
		for _, o := range d.owed {
			if o.here && !o.acked {
				d.ack(w, o)
				more = true // there is room in the window
			}
		}
	}
	for _, o := range d.owed {
		if !o.here && !o.acked && !o.m.Expired(w.now) {
			w.t.Fatalf("%s never got message %d", d.identity, o.number)
		}
	}
}

func (d *device) puback(w *world) {
	var may []*owed
	for _, o := range d.owed {
		if d.online && o.here && !o.acked {
			may = append(may, o)
		}
	}
	if len(may) > 0 {
		d.ack(w, may[rapid.IntRange(0, len(may)-1).Draw(w.t, "puback")])
	}
}

func (d *device) ack(w *world, o *owed) {
	if !d.s.Ack(o.id) {
		w.t.Fatalf("%s acknowledged message %d under %d, which is not in flight", d.identity, o.number, o.id)
	}
	d.flush(w)
	o.acked = true
}

// crash ends the broker without warning, starts it again, and compares what it has with what was promised.
func (w *world) crash(t *rapid.T) {
	if w.o.Level == wal.Disk && rapid.Bool().Draw(t, "power cut") {
		w.disk.PowerCut(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
	} else {
		w.disk.Kill()
	}
	w.store.Store.Close() // it fails, or believes that it succeeds; the disk does not hear of it
	w.open()
	found := map[string]session.ID{}
	for id, s := range w.life.base.Sessions {
		found[s.Identity] = id
	}
	for _, d := range w.devices {
		id, there := found[d.identity]
		if d.held && !there {
			t.Fatalf("the session of %s is gone", d.identity)
		}
		if d.s == nil && there {
			t.Fatalf("%s has ended its session, and it is back", d.identity)
		}
		if !there {
			*d = device{identity: d.identity}
			continue
		}
		d.recovered(w, id, w.life.base.Sessions[id])
	}
}

// recovered makes the device's session of what the store holds.
func (d *device) recovered(w *world, id session.ID, s *storetest.Session) {
	r := &session.Recovered{ID: id, Identity: d.identity, Connected: s.Connected, Until: s.Until, Doubtful: s.Doubtful, Queued: len(s.Queue)}
	for filter, qos := range s.Subscriptions {
		r.Subscriptions = append(r.Subscriptions, session.Subscription{Filter: filter, QoS: qos})
	}
	places := map[session.Ref]session.Stored{}
	for _, q := range s.Queue {
		r.QueuedBytes += int64(q.Size)
		places[q.Ref] = q
	}
	d.s = session.Restore(&w.store, r, w.options())
	d.online, d.crashed, d.held = false, true, true // what was found has been synced
	left := d.owed[:0]
	for _, o := range d.owed {
		q, there := places[o.m.Ref()]
		if delete(places, o.m.Ref()); !there {
			if o.held && !o.acked && !o.m.Expired(w.now) {
				w.t.Fatalf("message %d for %s is lost", o.number, d.identity)
			}
			continue
		}
		o.acked, o.here, o.held = false, false, true
		o.id = q.PacketID // 0: the note of it is lost, and it may get another
		left = append(left, o)
	}
	d.owed = left
	if len(places) > 0 {
		w.t.Fatalf("%s has messages that were not for it, or had come to their end: %v", d.identity, places)
	}
}
