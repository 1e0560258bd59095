package device

import "sampan/session/wal"

// A checkpoint is the registry written down once more at the end of its own log, while changes go on between
// its parts. Each part is copied under the lock, so the last entry for a thing is always its latest state;
// and when all is on the disk, what lies before the checkpoint is cut off. A crash on the way costs nothing:
// the older entries are still there, and reading both gives the same.

// A checkpoint is due when the log has twice the entries that are needed, and this many more.
const spareEntries = 10_000

// checkpointPart is how many devices are copied while the lock is held once.
const checkpointPart = 256

// tidy begins a checkpoint if one is due. The caller holds mu.
func (r *Registry) tidy() {
	if r.log == nil || r.checkpoint || r.closed || r.failure != nil || r.entries < 2*r.live+spareEntries {
		return
	}
	r.checkpoint = true
	r.background.Go(func() {
		err := r.writeCheckpoint()
		r.mu.Lock()
		r.checkpoint = false
		r.failure = err
		r.mu.Unlock()
	})
}

// Checkpoint rewrites the log now. It returns at once if that is under way.
func (r *Registry) Checkpoint() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return ErrClosed
	}
	if r.log == nil || r.checkpoint {
		r.mu.Unlock()
		return nil
	}
	r.checkpoint = true
	r.background.Add(1)
	r.mu.Unlock()
	err := r.writeCheckpoint()
	r.mu.Lock()
	r.checkpoint = false
	r.failure = err
	r.mu.Unlock()
	r.background.Done()
	return err
}

func (r *Registry) writeCheckpoint() error {
	begin, products, err := r.writeHeads()
	if err != nil {
		return err
	}
	for _, p := range products {
		for from, more := uint32(0), true; more; {
			if from, more, err = r.writeDevices(p, from); err != nil {
				return err
			}
		}
	}
	if err := r.log.Wait(); err != nil {
		return err
	}
	return r.log.Truncate(begin)
}

// writeHeads writes the products and access keys, and returns where it began.
func (r *Registry) writeHeads() (begin wal.Pos, products []*product, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = 0
	put := func(entry []byte) error {
		r.scratch = entry[:0]
		r.entries++
		pos, err := r.log.Append(entry)
		if begin == 0 {
			begin = pos
		}
		return err
	}
	if err := put(appendCounters(r.scratch, r.nextID)); err != nil {
		return 0, nil, err
	}
	products = *r.order.Load()
	for _, p := range products {
		if err := put(appendProduct(r.scratch, p.info.Load(), p.devices.Next(), r.nextID)); err != nil {
			return 0, nil, err
		}
	}
	for _, k := range *r.keys.Load() {
		if err := put(appendAccessKey(r.scratch, k)); err != nil {
			return 0, nil, err
		}
	}
	return begin, products, nil
}

// writeDevices writes some devices of a product, from a number on, and returns where to go on.
func (r *Registry) writeDevices(p *product, from uint32) (next uint32, more bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := p.info.Load().Key
	if r.product([]byte(key)) != p {
		return 0, false, nil // deleted meanwhile
	}
	for range checkpointPart {
		item, found := p.devices.After(from)
		if !found {
			return 0, false, nil
		}
		if err := r.append(appendDevice(r.scratch, key, item.Number, item.Entry.State.Load(), item.Name, item.Body)); err != nil {
			return 0, false, err
		}
		from = item.Number + 1
	}
	return from, true, nil
}
