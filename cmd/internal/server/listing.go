package server

import (
	"slices"
	"strings"
	"text/tabwriter"

	"sampan/cmd/internal/address"
	"sampan/cmd/internal/listen"
)

// entry says who may come in by a listener, and how it is protected.
type entry struct {
	Listener, Channel, Levels, Policy, From, Who string
}

var channelNames = map[address.Scheme]string{
	address.MQTT: "plain TCP", address.MQTTS: "TLS", address.WS: "WebSocket", address.WSS: "WebSocket over TLS",
	address.PSK: "TLS with pre-shared keys", address.Unix: "Unix socket", address.Auto: "told apart by the first bytes",
	address.Chip: "chips behind a terminator",
}

func (srv *Server) entry(ln *listen.Listener) entry {
	u, s := ln.URL(), srv.settings
	e := entry{Listener: u.String(), Channel: channelNames[u.Scheme], Policy: "none", From: "this machine", Who: "signed devices"}
	levels := s.levels(u.Scheme, ln.Levels())
	e.Levels = address.Words(levels)
	switch {
	case slices.Contains(levels, address.TLSOnly) || slices.Contains(levels, address.High) && u.Scheme != address.Chip:
		e.Policy = srv.channels.tls.Policy().String()
	case slices.Contains(levels, address.Medium):
		e.Policy = "TLS 1.2"
	}
	if !u.Loopback() {
		e.From = "anywhere"
		if len(s.ProxyFrom) > 0 {
			e.From += ", and by proxies in " + strings.Join(s.ProxyFrom.GetSlice(), " ")
		}
	}
	if s.open() {
		e.Who = "anybody"
		if slices.Equal(levels, []address.Level{address.High}) {
			e.Who += " with a certificate"
		}
	}
	return e
}

// describe logs the entry.
func (srv *Server) describe(ln *listen.Listener) {
	e := srv.entry(ln)
	srv.log.Info("listening", "on", e.Listener, "channel", e.Channel, "from", e.From, "who", e.Who, "levels", e.Levels, "policy", e.Policy)
}

// Listing is a table of the listeners: what they are, and who may come in.
func (srv *Server) Listing() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { w.Write([]byte(strings.Join(cells, "\t") + "\n")) } // a Builder takes everything
	row("LISTENER", "CHANNEL", "LEVELS", "TLS POLICY", "FROM", "WHO MAY COME IN")
	for _, ln := range srv.listeners {
		e := srv.entry(ln)
		row(e.Listener, e.Channel, e.Levels, e.Policy, e.From, e.Who)
	}
	w.Flush()
	return text.String()
}
