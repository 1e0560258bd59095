package device

// change runs fn, which appends entries and makes them visible, and waits until they are on the disk. After a
// failure of the log nothing can be changed any more; what fn made visible stays so.
func (r *Registry) change(fn func() error) error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return ErrClosed
	}
	err := fn()
	r.tidy()
	r.mu.Unlock()
	if err != nil || r.log == nil {
		return err
	}
	return r.log.Wait()
}

// append writes an entry. The caller holds mu, and makes the change visible only if there was no error.
func (r *Registry) append(entry []byte) error {
	r.scratch = entry[:0]
	if r.log == nil {
		return nil
	}
	if _, err := r.log.Append(entry); err != nil {
		return err
	}
	r.entries++
	return nil
}

// now is the clock in milliseconds since 1970, never zero.
func (r *Registry) now() int64 { return max(r.o.Now().UnixMilli(), 1) }

// within says whether one more may be added to n things of which there may be limit.
func within(n, limit int, what string) error {
	if limit > 0 && n >= limit {
		return refuse(ErrLimit, "there are %d %s, which is the limit", n, what)
	}
	return nil
}
