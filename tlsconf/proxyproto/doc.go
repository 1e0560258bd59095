// Package proxyproto reads the PROXY protocol: the lines or bytes that a proxy
// sends before a client's own, to say whose connection it has passed on.
// Versions 1 (text) and 2 (binary) of the protocol are told apart by
// themselves. Source of every rule: "The PROXY protocol, versions 1 & 2",
// W. Tarreau, HAProxy Technologies, sections 2.1 and 2.2.
//
// A header is a claim. Whoever may send one can be anybody, so it is for the
// caller to ask for one only where a named proxy connects from, and to bound
// the time.
//
// Read takes the header's bytes from the connection and not one more. What
// follows can therefore be read from the connection itself, also by those who
// want its descriptor.
package proxyproto
