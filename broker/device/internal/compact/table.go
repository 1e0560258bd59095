package compact

import (
	"bytes"
	"hash/maphash"
	"slices"
	"sync/atomic"
)

// Table is a set of records. The zero value is an empty one, ready for use. It must not be copied.
type Table struct {
	view atomic.Pointer[view]

	// For the goroutine that changes the table.
	used    int    // slots that are not empty, including those of deleted records
	count   int    // records
	next    uint32 // the number of the next new record
	written int    // bytes of the last slab
	live    int    // bytes of records
	dead    int    // bytes of records that were replaced or deleted
}

// view is what readers see. What lies within the length of its slices never changes, but for the slots, which
// change atomically, and the part of the last slab to which nothing refers yet.
type view struct {
	seed   maphash.Seed
	slots  []atomic.Uint64 // a power of two; hash and number of a name, placed by the hash
	chunks []*chunk        // entries by number; nil where all numbers of a chunk are unused
	slabs  [][]byte        // of whole length, however much is written; nil when all records are dead
}

// Entry is what a name has beside its record.
type Entry struct {
	ref   atomic.Uint64
	State atomic.Uint64        // the owner's; changed only by the goroutine that changes the table
	Words [Words]atomic.Uint64 // limiters'; changed by anybody
}

// Words is how many words for limiters an entry has.
const Words = 3

const chunkSize = 64

type chunk [chunkSize]Entry

// MaxNumber bounds the numbers, and so what a damaged record can make a table allocate.
const MaxNumber = 1 << 28

// A slot holds the hash of a name above the number plus one. The two values without a record:
const (
	slotEmpty   = 0
	slotDeleted = 1<<32 - 1
)

// smallestSlots is the number of slots of a table with its first record.
const smallestSlots = 8

// Item is a record that was found. Name and Body are views of memory that never changes; keeping them keeps
// the whole slab they lie in. Entry stays valid as long as the name exists.
type Item struct {
	Entry  *Entry
	Number uint32
	Name   []byte
	Body   []byte
}

// Len is the number of records. For the goroutine that changes the table.
func (t *Table) Len() int { return t.count }

// Next is the number that the next new record gets. For the goroutine that changes the table.
func (t *Table) Next() uint32 { return t.next }

// SetNext makes sure that no number below n is given to a new record.
func (t *Table) SetNext(n uint32) { t.next = max(t.next, n) }

// Find finds a record by its name.
func (t *Table) Find(name []byte) (Item, bool) {
	v := t.view.Load()
	if v == nil {
		return Item{}, false
	}
	_, item, found := t.find(v, name, v.hash(name))
	return item, found
}

func (v *view) hash(name []byte) uint32 { return uint32(maphash.Bytes(v.seed, name)) }

// find returns the slot of a name and its record.
func (t *Table) find(v *view, name []byte, hash uint32) (slot *atomic.Uint64, item Item, found bool) {
	mask := uint32(len(v.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		switch s := v.slots[i].Load(); {
		case s == slotEmpty:
			return nil, Item{}, false
		case s != slotDeleted && uint32(s>>32) == hash:
			if item, found = t.at(v, uint32(s)-1); found && bytes.Equal(item.Name, name) {
				return &v.slots[i], item, true
			}
		}
	}
}

// At finds a record by its number.
func (t *Table) At(number uint32) (Item, bool) {
	v := t.view.Load()
	if v == nil {
		return Item{}, false
	}
	return t.at(v, number)
}

// at reads a record. A slot or a reference that a writer has just made may point past the end of an older
// view: then the newer one has been there before it, and is taken instead.
func (t *Table) at(v *view, number uint32) (Item, bool) {
	c := int(number / chunkSize)
	if c >= len(v.chunks) {
		if v = t.view.Load(); c >= len(v.chunks) {
			return Item{}, false
		}
	}
	if v.chunks[c] == nil {
		if v = t.view.Load(); v.chunks[c] == nil {
			return Item{}, false
		}
	}
	entry := &v.chunks[c][number%chunkSize]
	for {
		ref := entry.ref.Load()
		if ref == 0 {
			return Item{}, false
		}
		slab, offset := splitRef(ref)
		if slab >= len(v.slabs) || v.slabs[slab] == nil {
			v = t.view.Load()
			continue
		}
		b := v.slabs[slab]
		name, body := readRecord(b[offset:])
		return Item{Entry: entry, Number: number, Name: name, Body: body}, true
	}
}

// After finds the record with the lowest number from a number on. Records in the order of their numbers are
// in the order in which they were made.
func (t *Table) After(number uint32) (Item, bool) {
	v := t.view.Load()
	if v == nil {
		return Item{}, false
	}
	for c := int(number / chunkSize); c < len(v.chunks); c++ {
		if v.chunks[c] == nil {
			continue
		}
		for n := max(number, uint32(c)*chunkSize); n < uint32(c+1)*chunkSize; n++ {
			if item, found := t.at(v, n); found {
				return item, true
			}
		}
	}
	return Item{}, false
}

// Put makes a record visible, or replaces the one of the same name, which then keeps its number and words.
// A new record gets the next number, which is below MaxNumber; the name is at most MaxName long.
func (t *Table) Put(name, body []byte) Item {
	return t.put(t.next, name, body)
}

// PutAt is Put for a record that has a number already, from an earlier life of the table. A record of the
// same name with another number is replaced by it. It is refused if another name has the number, or if number
// or name are out of range.
func (t *Table) PutAt(number uint32, name, body []byte) (item Item, ok bool) {
	if number >= MaxNumber || len(name) > MaxName {
		return Item{}, false
	}
	if other, found := t.At(number); found && !bytes.Equal(other.Name, name) {
		return Item{}, false
	}
	if other, found := t.Find(name); found && other.Number != number {
		t.Delete(name)
	}
	return t.put(number, name, body), true
}

func (t *Table) put(number uint32, name, body []byte) Item {
	v := t.view.Load()
	if v == nil {
		v = &view{seed: maphash.MakeSeed(), slots: make([]atomic.Uint64, smallestSlots)}
		t.view.Store(v)
	}
	hash := v.hash(name)
	if _, item, found := t.find(v, name, hash); found {
		t.dead += len(name) + len(item.Body)
		t.live += len(body) - len(item.Body)
		ref := t.write(name, body)
		item.Entry.ref.Store(ref)
		t.reclaim()
		item, _ = t.At(item.Number)
		return item
	}
	t.count++
	t.live += len(name) + len(body)
	t.next = max(t.next, number+1)
	ref := t.write(name, body)
	entry := t.entry(number)
	entry.State.Store(0)
	for i := range entry.Words {
		entry.Words[i].Store(0)
	}
	entry.ref.Store(ref)
	t.link(hash, number)
	item, _ := t.At(number)
	return item
}

// write puts a record into the last slab, or a new one.
func (t *Table) write(name, body []byte) (ref uint64) {
	v := t.view.Load()
	size := recordSize(name, body)
	last := len(v.slabs) - 1
	if last < 0 || len(v.slabs[last])-t.written < size {
		grown := smallestSlab
		if last >= 0 {
			grown = min(2*len(v.slabs[last]), largestSlab)
		}
		v = t.addSlab(max(grown, size))
		last++
	}
	offset := t.written
	t.written += len(appendRecord(v.slabs[last][offset:offset], name, body))
	return makeRef(last, offset)
}

// addSlab makes an empty slab the last one. Views that are older do not look behind their length.
func (t *Table) addSlab(size int) *view {
	v := t.view.Load().clone()
	v.slabs = append(v.slabs, make([]byte, size))
	t.view.Store(v)
	t.written = 0
	return v
}

// entry returns the entry of a number, whose chunk may be new.
func (t *Table) entry(number uint32) *Entry {
	v := t.view.Load()
	c := int(number / chunkSize)
	switch {
	case c >= len(v.chunks):
		v = v.clone()
		v.chunks = append(v.chunks, make([]*chunk, c-len(v.chunks))...)
		v.chunks = append(v.chunks, new(chunk))
		t.view.Store(v)
	case v.chunks[c] == nil: // in sight of readers
		v = v.clone()
		v.chunks = slices.Clone(v.chunks)
		v.chunks[c] = new(chunk)
		t.view.Store(v)
	}
	return &v.chunks[c][number%chunkSize]
}

// link makes a number findable by its hash.
func (t *Table) link(hash, number uint32) {
	v := t.view.Load()
	if 4*(t.used+1) > 3*len(v.slots) {
		v = v.clone()
		size := smallestSlots
		for 4*(t.count+1) > 3*size {
			size *= 2
		}
		old := v.slots
		v.slots = make([]atomic.Uint64, size)
		t.used = 0
		for i := range old {
			if s := old[i].Load(); s != slotEmpty && s != slotDeleted {
				v.place(s)
				t.used++
			}
		}
		t.view.Store(v)
	}
	v.place(uint64(hash)<<32 | uint64(number+1))
	t.used++
}

// place puts a slot's value where a search for it comes by.
func (v *view) place(s uint64) {
	mask := uint32(len(v.slots) - 1)
	i := uint32(s>>32) & mask
	for v.slots[i].Load() != slotEmpty {
		i = (i + 1) & mask
	}
	v.slots[i].Store(s)
}

// Delete removes a record. Its number is not given again.
func (t *Table) Delete(name []byte) bool {
	v := t.view.Load()
	if v == nil {
		return false
	}
	slot, item, found := t.find(v, name, v.hash(name))
	if !found {
		return false
	}
	size := len(item.Name) + len(item.Body)
	slot.Store(slotDeleted)
	item.Entry.ref.Store(0)
	t.count--
	t.live -= size
	t.dead += size
	t.reclaim()
	return true
}

func (v *view) clone() *view { c := *v; return &c }
