// Package session holds what a client is when it is not a socket: its subscriptions, the QoS 1 messages
// that wait for it, those in flight with their packet identifiers, and the Store that keeps all of this.
//
// A Session is a plain state machine. It opens no socket, starts no goroutine and reads no clock; its owner
// locks it and passes the time in. What it decides comes back as return values.
package session
