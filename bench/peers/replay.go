package main

import (
	"net"
	"time"
)

// replay is a connection that is always ready: it gives the same packet over and
// over, as many whole ones as a read has room for and then the part that fits,
// and counts and takes whatever is written.
type replay struct {
	raw     []byte
	at      int
	written int
}

func (r *replay) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		c := copy(p[n:], r.raw[r.at:])
		n += c
		if r.at += c; r.at == len(r.raw) {
			r.at = 0
		}
	}
	return n, nil
}

func (r *replay) Write(p []byte) (int, error) {
	r.written += len(p)
	return len(p), nil
}

func (r *replay) Close() error                     { return nil }
func (r *replay) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (r *replay) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (r *replay) SetDeadline(time.Time) error      { return nil }
func (r *replay) SetReadDeadline(time.Time) error  { return nil }
func (r *replay) SetWriteDeadline(time.Time) error { return nil }
