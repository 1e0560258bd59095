package compact

import "slices"

// reclaimFrom is how many dead bytes are left where they are.
const reclaimFrom = 64 << 10

// reclaim moves all records into new slabs, and drops the old ones, when more than half of what the slabs
// hold is dead. Readers go on meanwhile: they see the old slabs until no entry refers to them.
func (t *Table) reclaim() {
	if t.dead < reclaimFrom || t.dead < t.live {
		return
	}
	before := len(t.view.Load().slabs)
	v := t.addSlab(smallestSlab)
	for _, c := range v.chunks {
		if c == nil {
			continue
		}
		for i := range c {
			ref := c[i].ref.Load()
			if ref == 0 {
				continue
			}
			slab, offset := splitRef(ref)
			c[i].ref.Store(t.write(readRecord(v.slabs[slab][offset:])))
		}
	}
	v = t.view.Load().clone()
	v.slabs = slices.Clone(v.slabs)
	clear(v.slabs[:before])
	t.view.Store(v)
	t.dead = 0
}

// Bytes is the memory that the table takes, without what the garbage collector adds. For the goroutine that
// changes the table.
func (t *Table) Bytes() int {
	v := t.view.Load()
	if v == nil {
		return 0
	}
	const word, entry, header = 8, 8 * (2 + Words), 24
	n := word*len(v.slots) + word*cap(v.chunks) + header*cap(v.slabs)
	for _, c := range v.chunks {
		if c != nil {
			n += chunkSize * entry
		}
	}
	for _, s := range v.slabs {
		n += len(s)
	}
	return n
}
