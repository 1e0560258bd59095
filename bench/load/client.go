package load

import "sampan/bench/proof"

// client is an identity: its session, of which connections come and go. The
// lane's lock guards it.
type client struct {
	*Client
	index    int
	lane     *lane
	conn     *conn // the newest, nil when not connected
	pubs     []*stream
	trackers []proof.Tracker // of the streams it receives
	group    *group          // instead of trackers, if the receivers share
	inflight inflight
	connects int  // CONNACKs so far
	known    bool // the broker holds a session with the subscriptions
	// forgotten lets the next connection end the session.
	forgotten bool
	life      life // told of connects and losses; may be nil
}

// life is what drives a client through more than one connection.
type life interface {
	// online comes when a connection is ready for use.
	online(c *conn, now int64)
	// offline comes when the broker ended a connection, or it failed.
	offline(c *conn, now int64)
	// returned comes when everything that the client has sent came back.
	returned(c *client, now int64) (taken bool)
}

// connect begins a connection that was meant to begin at the time asked.
func (cl *client) connect(asked int64) *conn {
	e := cl.lane.engine
	c := &conn{client: cl, lane: cl.lane, asked: asked, began: e.clock.Now()}
	cl.conn = c
	cl.lane.young = append(cl.lane.young, c)
	c.wire = cl.lane.Dial(e.endpoint(cl.index), c)
	return c
}

// disconnect sends DISCONNECT and closes.
func (cl *client) disconnect() {
	if c := cl.conn; c != nil {
		c.leave()
		cl.conn = nil
	}
}

// receiving reports whether the client subscribes to a stream, and with which
// of its trackers it follows it.
func (cl *client) receiving(stream uint32) (int, bool) {
	i := int(stream) - cl.First
	return i, i >= 0 && i < cl.Streams
}
