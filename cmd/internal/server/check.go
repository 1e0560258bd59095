package server

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"sampan/broker/quota"
	"sampan/cmd/internal/address"
	"sampan/cmd/internal/value"
)

// problems collects what is wrong with settings.
type problems []error

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Errorf(format, args...)) }

// Check finds what is wrong with settings that are each right by themselves: what a start would refuse, and what
// would make a broker that is of no use.
func (s *Settings) Check() error {
	var p problems
	if (s.Cert == "") != (s.Key == "") {
		p.add("cert and key belong together: one of them is missing")
	}
	s.checkListeners(&p)
	s.checkAddresses(&p)
	if s.Cert == "" && (s.ClientCA != "" || len(s.CRL) > 0 || s.RequireClientCert) {
		p.add("client-ca, crl and require-client-cert are about TLS, which needs cert and key")
	}
	if s.ClientCA == "" && (len(s.CRL) > 0 || s.RequireClientCert) {
		p.add("crl and require-client-cert need client-ca: without it clients are not asked for a certificate")
	}
	checkQuantities(s.quotas(), &p)
	if s.open() {
		if names := s.idle(); len(names) > 0 {
			p.add("%s: without effect in the open profile, which has no devices, rates or API; leave it out, or set profile to platform", strings.Join(names, ", "))
		}
	}
	return errors.Join(p...)
}

func (s *Settings) checkListeners(p *problems) {
	if len(s.Listen.URLs) == 0 {
		p.add("listen: without a listener nobody can connect")
	}
	for _, u := range s.Listen.URLs {
		if u.Plain() && !u.Loopback() && !s.AllowPlain {
			encrypted := "use mqtts://, wss:// or psk://"
			if u.Scheme == address.Auto {
				encrypted = "write " + (address.URL{Scheme: u.Scheme, Host: u.Host, Port: u.Port}).String() + "?accept=tls,medium,high"
			}
			p.add("listen: %s can be reached from other machines and is not encrypted; %s, or set allow-plain", u, encrypted)
		}
		switch {
		case (u.Scheme == address.MQTTS || u.Scheme == address.WSS) && s.Cert == "" && s.Key == "":
			p.add("listen: %s needs a certificate: set cert and key", u)
		case u.Scheme == address.PSK && s.open():
			p.add("listen: %s has keys made of the devices' secrets, and the open profile has no devices", u)
		case len(s.levels(u.Scheme, u.Levels())) == 0:
			p.add("listen: nobody can come in by %s: %s", u, s.why(u.Levels()[0]))
		}
	}
}

// checkAddresses finds addresses at which two are to listen.
func (s *Settings) checkAddresses(p *problems) {
	taken := map[string]string{} // the setting that has an address
	take := func(setting, at string) {
		switch by := taken[at]; by {
		case "":
			taken[at] = setting
		case setting:
			p.add("%s: %s is named twice", setting, at)
		default:
			p.add("%s: %s is that of %s already: give it another port", setting, at, by)
		}
	}
	for _, u := range s.Listen.URLs {
		switch {
		case u.Scheme.Socket() && u.Path != "":
			take("listen", filepath.Clean(u.Path))
		case u.Port != 0:
			take("listen", u.HostPort())
		}
	}
	for _, h := range []struct {
		setting string
		at      address.HTTP
		off     bool
	}{{"api", s.API, s.open()}, {"metrics", s.Metrics, false}, {"health", s.Health, false}} {
		if at := h.at.HostPort(); at != "" && !h.off && !strings.HasSuffix(at, ":0") {
			take(h.setting, at)
		}
	}
}

// checkQuantities finds what no client, device or call could keep to. Zero is no limit.
func checkQuantities(q *quota.Limits, p *problems) {
	const (
		longestKeepAlive = 65_535 * time.Second // a number of 16 bits
		mostInFlight     = 65_535               // there are no more packet identifiers
	)
	within := func(lowest, highest string, low, high time.Duration, who string) {
		if high > 0 && low > high {
			p.add("%s %s is above %s %s, so that no %s can be right: lower the one or raise the other", lowest, value.Duration(low), highest, value.Duration(high), who)
		}
	}
	within("limit-keep-alive-min", "limit-keep-alive-max", q.KeepAliveMin, q.KeepAliveMax, "client's keep-alive")
	within("limit-rrpc-timeout-min", "limit-rrpc-timeout-max", q.RRPCTimeoutMin, q.RRPCTimeoutMax, "call's timeout")
	if q.KeepAliveMin > longestKeepAlive {
		p.add("limit-keep-alive-min %s is longer than a client can say: 65535s at most", value.Duration(q.KeepAliveMin))
	}
	if q.InFlight > mostInFlight {
		p.add("limit-in-flight %d is more than there are packet identifiers: %d at most, or unlimited", q.InFlight, mostInFlight)
	}
}

// CheckFiles reads the certificates that are named, as a start would.
func (s *Settings) CheckFiles() error {
	if s.Cert == "" || s.Key == "" {
		return nil
	}
	_, err := s.certificates()
	return err
}
