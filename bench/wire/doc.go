// Package wire moves bytes for thousands of client connections at little
// cost. It knows no MQTT.
//
// A [Lane] serves many connections and calls back when one has opened, when
// bytes have arrived and when one has closed, and between that lets its
// [Work] do what has become due. One lock guards the lane and everything that
// its callbacks touch: every callback runs with the lock held, and whoever
// comes from outside takes it. So the code above needs no locks of its own.
//
// There are two kinds of lane. [NewPolled] (Linux) is one goroutine with its
// own epoll loop on raw non-blocking sockets: plain TCP and Unix sockets, one
// large read buffer for all of them, nothing held for an idle connection.
// [NewStreamed] has goroutines for each connection and takes whatever dials
// to a net.Conn: TLS, WebSocket, and any system that is not Linux.
package wire
