package broker

// roster lists the connections that there are. It is part of them, so that to come and go allocates nothing.
type roster struct {
	first *conn
	count int
}

func (r *roster) add(c *conn) {
	if c.next = r.first; c.next != nil {
		c.next.prev = c
	}
	r.first = c
	r.count++
}

func (r *roster) remove(c *conn) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		r.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	r.count--
}

// all returns the connections.
func (r *roster) all() []*conn {
	conns := make([]*conn, 0, r.count)
	for c := r.first; c != nil; c = c.next {
		conns = append(conns, c)
	}
	return conns
}
