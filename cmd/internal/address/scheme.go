// Package address reads the URLs by which listeners and brokers are named on the command line.
package address

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sampan/cmd/internal/suggest"
)

// Scheme is the channel that a URL names.
type Scheme string

// The channels. Two are for listeners only. Auto is plain MQTT, TLS and WebSocket on one port, told apart by
// the first bytes. Chip is a Unix socket for a terminator, which says of each connection what device's chip it
// has checked.
const (
	MQTT  Scheme = "mqtt"
	MQTTS Scheme = "mqtts"
	WS    Scheme = "ws"
	WSS   Scheme = "wss"
	PSK   Scheme = "psk"
	Unix  Scheme = "unix"
	Auto  Scheme = "auto"
	Chip  Scheme = "chip"
)

// schemes in the order in which they are named to a user, with the port that is meant where none is given.
// The platform takes pre-shared keys and everything else on 1883 too.
var schemes = []struct {
	name Scheme
	port uint16
}{
	{MQTT, 1883}, {MQTTS, 8883}, {WS, 80}, {WSS, 443}, {PSK, 1883}, {Unix, 0}, {Auto, 1883}, {Chip, 0},
}

// Encrypted reports whether every connection of the channel is encrypted.
func (s Scheme) Encrypted() bool { return s == MQTTS || s == WSS || s == PSK }

// WebSocket reports whether MQTT travels in WebSocket frames.
func (s Scheme) WebSocket() bool { return s == WS || s == WSS }

// Socket reports whether the channel is at a path, not at a host and port.
func (s Scheme) Socket() bool { return s == Unix || s == Chip }

// URL is the address of a listener or of a broker.
type URL struct {
	Scheme Scheme
	Host   string // name or IP address without brackets; empty for a socket, and for a listener on every address
	Port   uint16 // zero for a socket, and for a listener that takes any free port
	Path   string // of a socket, of the request for ws and wss ("/" if none is given)
	Query  url.Values
}

// String is the URL as a user would write it.
func (u URL) String() string {
	s := string(u.Scheme) + "://"
	if !u.Scheme.Socket() {
		s += u.HostPort()
	}
	if u.Scheme.Socket() || u.Scheme.WebSocket() && u.Path != "/" {
		s += u.Path
	}
	if len(u.Query) > 0 {
		s += "?" + u.Query.Encode()
	}
	return s
}

// HostPort is the address for package net: host:port, or the path of a unix socket.
func (u URL) HostPort() string {
	if u.Scheme.Socket() {
		return u.Path
	}
	return net.JoinHostPort(u.Host, strconv.Itoa(int(u.Port)))
}

// Network is the network for package net.
func (u URL) Network() string {
	if u.Scheme.Socket() {
		return "unix"
	}
	return "tcp"
}

// Loopback reports whether only this machine can reach the address. A host name other than localhost
// counts as reachable: what it resolves to can change.
func (u URL) Loopback() bool {
	if u.Scheme.Socket() || u.Host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(u.Host)
	return err == nil && ip.IsLoopback()
}

// parse reads what listeners and brokers have in common.
func parse(text string, known []Scheme) (URL, error) {
	name, rest, found := strings.Cut(text, "://")
	if !found {
		return URL{}, fmt.Errorf("has no scheme: write %s://%s", MQTT, text)
	}
	scheme := Scheme(strings.ToLower(name))
	if !slices.Contains(known, scheme) {
		words := make([]string, len(known))
		for i, s := range known {
			words[i] = string(s)
		}
		meant := map[string]string{"tcp": "mqtt", "ssl": "mqtts", "tls": "mqtts", "http": "ws", "https": "wss"}[string(scheme)]
		if meant == "" {
			meant = suggest.Closest(string(scheme), words)
		}
		if meant != "" {
			return URL{}, fmt.Errorf("unknown scheme %s://; did you mean %s://?", name, meant)
		}
		return URL{}, fmt.Errorf("unknown scheme %s://; known are %s", name, strings.Join(words, ", "))
	}
	u := URL{Scheme: scheme}
	rest, query, _ := strings.Cut(rest, "?")
	if query != "" {
		values, err := url.ParseQuery(query)
		if err != nil {
			return URL{}, fmt.Errorf("bad parameters %q: %w", query, err)
		}
		u.Query = values
	}
	if scheme.Socket() {
		if rest == "" && !u.Query.Has(socketParameter) {
			return URL{}, fmt.Errorf("has no path: write %s:///run/sampan.sock", scheme)
		}
		u.Path = rest
		return u, nil
	}
	authority := rest
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, u.Path = rest[:i], rest[i:]
	}
	if strings.Contains(authority, "@") {
		return URL{}, fmt.Errorf("credentials do not belong into the address")
	}
	if u.Path != "" && u.Path != "/" && !scheme.WebSocket() {
		return URL{}, fmt.Errorf("%s:// has no path, but %q was given", scheme, u.Path)
	}
	if scheme.WebSocket() && u.Path == "" {
		u.Path = "/"
	} else if !scheme.WebSocket() {
		u.Path = ""
	}
	var err error
	u.Host, u.Port, err = hostPort(authority, defaultPort(scheme))
	return u, err
}

// withoutCredentials is the address as it may be printed in an error.
func withoutCredentials(text string) string {
	name, rest, _ := strings.Cut(text, "://")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		return name + "://..." + rest[i:]
	}
	return text
}

func defaultPort(s Scheme) uint16 {
	for _, known := range schemes {
		if known.name == s {
			return known.port
		}
	}
	return 0
}

// hostPort splits an authority. An IPv6 address stands in brackets when a port follows.
func hostPort(authority string, missing uint16) (string, uint16, error) {
	if ip, err := netip.ParseAddr(strings.Trim(authority, "[]")); err == nil && (ip.Is4() || strings.HasPrefix(authority, "[") == strings.HasSuffix(authority, "]")) {
		return ip.String(), missing, nil
	}
	host, port := authority, ""
	if i := strings.LastIndexByte(authority, ':'); i >= 0 {
		host, port = authority[:i], authority[i+1:]
		if port == "" {
			return "", 0, fmt.Errorf("the port after %q is missing", host+":")
		}
	}
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		inner, closed := strings.CutSuffix(inner, "]")
		if ip, err := netip.ParseAddr(inner); !closed || err != nil || !ip.Is6() {
			return "", 0, fmt.Errorf("%q is not an IPv6 address in brackets", host)
		}
		host = inner
	} else if strings.ContainsAny(host, ":[] \t\\") {
		return "", 0, fmt.Errorf("%q is not a host; an IPv6 address stands in brackets, as in [::1]:1883", host)
	}
	if port == "" {
		return host, missing, nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("port %q is not a number from 0 to 65535", port)
	}
	return host, uint16(n), nil
}
