package address

import (
	"fmt"
	"net"
	"strconv"
)

// HTTP is the setting for an address where HTTP is served: host:port, or "off". It implements pflag.Value.
type HTTP struct{ hostPort string }

// ServeAt returns the setting with a default, which must be valid.
func ServeAt(hostPort string) HTTP { return HTTP{hostPort} }

const off = "off"

// Set reads the address.
func (h *HTTP) Set(text string) error {
	if text == off {
		h.hostPort = ""
		return nil
	}
	switch _, err := strconv.ParseUint(text, 10, 16); {
	case err == nil:
		return fmt.Errorf("a port alone: write 127.0.0.1:%s for this machine, :%s for every address of it, or %s", text, text, off)
	case text == "false" || text == "no" || text == "none":
		return fmt.Errorf("write %s to have none", off)
	case text == "true" || text == "yes" || text == "on":
		return fmt.Errorf("write where, as in 127.0.0.1:8080, or %s", off)
	}
	host, port, err := hostPort(text, 0)
	if err != nil {
		return err
	}
	if _, given, err := net.SplitHostPort(text); err != nil || given == "" {
		return fmt.Errorf("has no port: write %s, or %s", net.JoinHostPort(host, "8080"), off)
	}
	h.hostPort = net.JoinHostPort(host, strconv.Itoa(int(port)))
	return nil
}

// HostPort is the address for package net; empty for "off".
func (h HTTP) HostPort() string { return h.hostPort }

// String is the address as it would be written.
func (h HTTP) String() string {
	if h.hostPort == "" {
		return off
	}
	return h.hostPort
}

// Type is the word that --help shows for the value.
func (h *HTTP) Type() string { return "host:port" }
