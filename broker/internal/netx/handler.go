package netx

// Handler is what a Socket belongs to. A socket that is parked is watched by its Poller; one that is not
// belongs to whoever handles it, one goroutine at a time.
type Handler interface {
	// Readable is called when a parked socket has input, or has ended. The socket is not parked any more.
	// The handler reads it, parks it again, and returns soon: many other sockets wait for this goroutine. If
	// it has to wait for anything it calls Leave before.
	Readable(t *Turn)

	// Closed is called, on a goroutine of its own, when a socket was closed while it was parked.
	Closed()
}
