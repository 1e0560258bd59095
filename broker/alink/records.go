package alink

import (
	"cmp"
	"encoding/json"

	"sampan/broker/alink/envelope"
	"sampan/broker/ledger"
)

// records is how the values of a shelf are kept in the ledger.
type records[T any] interface {
	// read returns the value of a key, the zero value if there is none, and the size of what is kept. A record that
	// cannot be read counts as none; unread, if it is not nil, says why.
	read(key string) (v T, size int, unread *unread, err error)
	// write keeps a value, and returns the size of what is kept then. One without contents has the size 0.
	write(key string, v *T) (size int, err error)
	delete(key string) error
}

// unread says why a record is none.
type unread struct {
	kind ledger.Kind
	why  error
}

// whole keeps each value as one record of JSON.
type whole[T any] struct {
	kept *ledger.Ledger
	kind ledger.Kind
	max  int // bytes of a record
}

func (w *whole[T]) read(key string) (v T, size int, bad *unread, err error) {
	record, ok, err := w.kept.Get(w.kind, key, nil)
	if err != nil || !ok {
		return v, 0, nil, err
	}
	if why := json.Unmarshal(record, &v); why != nil {
		return *new(T), len(record), &unread{w.kind, why}, nil // not what had been read before the error
	}
	return v, len(record), nil, nil
}

func (w *whole[T]) write(key string, v *T) (size int, err error) {
	record, err := envelope.Marshal(v)
	if err != nil {
		return 0, err
	}
	if len(record) > w.max {
		return 0, &tooLarge{len(record), w.max}
	}
	if text := string(record); text == "{}" || text == "null" {
		return 0, w.delete(key)
	}
	return len(record), w.kept.Put(w.kind, ledger.Record{Key: key, Value: record})
}

func (w *whole[T]) delete(key string) error { return w.kept.Delete(w.kind, key) }

// latest is what a device has posted last: all of it, and which of it is newer than the larger of its two records.
type latest struct {
	all    map[string]Property
	newer  map[string]Property
	larger int  // bytes of the larger record; 0: there is none that can be read
	both   bool // there is a smaller one
}

// set makes a property the latest.
func (l *latest) set(name string, p Property) {
	if l.all == nil {
		l.all = make(map[string]Property)
	}
	if l.newer == nil {
		l.newer = make(map[string]Property)
	}
	l.all[name], l.newer[name] = p, p
}

// mostNewer bounds the smaller record of a device's properties, in bytes: what a post of one property writes at most,
// as a rule, however many others there are.
const mostNewer = 8 << 10

// twoRecords keeps the properties of a device as one record or, if they are many, as two: all of them, and those that
// were posted since that was written.
type twoRecords struct {
	whole[map[string]Property] // all of them
	newer                      whole[map[string]Property]
}

func newTwoRecords(l *ledger.Ledger, max int) *twoRecords {
	return &twoRecords{
		whole[map[string]Property]{l, ledger.Properties, max},
		whole[map[string]Property]{l, ledger.NewerProperties, mostNewer},
	}
}

func (r *twoRecords) read(key string) (v latest, size int, bad *unread, err error) {
	if v.all, v.larger, bad, err = r.whole.read(key); err != nil {
		return latest{}, 0, nil, err
	}
	size = v.larger
	if bad != nil {
		v.larger = 0
	}
	newer, n, alsoBad, err := r.newer.read(key)
	if err != nil {
		return latest{}, 0, nil, err
	}
	v.both = n > 0
	for name, p := range newer {
		v.set(name, p)
	}
	return v, size + n, cmp.Or(bad, alsoBad), nil
}

func (r *twoRecords) write(key string, v *latest) (size int, err error) {
	if v.larger > mostNewer {
		size, err = r.newer.write(key, &v.newer)
		if err == nil {
			v.both = true
			return v.larger + size, nil
		}
		if !IsTooLarge(err) {
			return 0, err
		}
	}
	if size, err = r.whole.write(key, &v.all); err != nil {
		return 0, err
	}
	if v.both { // behind the other: between the two, what is newer is there twice
		err = r.newer.delete(key)
	}
	v.larger, v.newer, v.both = size, nil, false
	return size, err
}

func (r *twoRecords) delete(key string) error {
	if err := r.whole.delete(key); err != nil {
		return err
	}
	return r.newer.delete(key)
}
