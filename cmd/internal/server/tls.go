package server

import (
	"context"
	"log/slog"
	"net"
	"time"

	"sampan/cmd/internal/listen"
	"sampan/cmd/internal/systemd"
	"sampan/tlsconf"
	"sampan/tlsconf/psk"
)

// watchEvery is how often certificates are looked at for a change.
const watchEvery = 5 * time.Second

// channels is what the listeners need to know beyond their addresses.
type channels struct {
	tls *tlsconf.Server // nil without a certificate
	// certified are the connections with client certificates; nil if clients are not asked for any.
	certified *listen.Certified
	stop      context.CancelFunc
	done      chan struct{}
}

// open reads the certificates and watches their files.
func (c *channels) open(s *Settings, log *slog.Logger) error {
	if s.Cert == "" {
		return nil
	}
	var err error
	if c.tls, err = s.certificates(); err != nil {
		return err
	}
	if s.ClientCA != "" {
		c.certified = &listen.Certified{Check: c.tls.CheckClient}
	}
	for _, warning := range c.tls.Warnings() {
		log.Warn("TLS", "warning", warning)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.stop, c.done = cancel, make(chan struct{})
	go func() { // ends in close
		defer close(c.done)
		ticker := time.NewTicker(watchEvery)
		defer ticker.Stop()
		c.tls.Watch(ctx, ticker.C, func(err error) { c.reloaded(err, log) })
	}()
	return nil
}

// certificates reads the files that are named.
func (s *Settings) certificates() (*tlsconf.Server, error) {
	policy, err := tlsconf.ParsePolicy(s.TLSPolicy.String())
	if err != nil {
		return nil, err
	}
	return tlsconf.New(tlsconf.Options{
		Policy: policy, Certificates: []tlsconf.Certificate{{CertFile: s.Cert, KeyFile: s.Key}},
		ClientCAFile: s.ClientCA, RequireClientCert: s.RequireClientCert, CRLFiles: s.CRL,
	})
}

// reload reads the certificates again, now.
func (c *channels) reload(log *slog.Logger) {
	if c.tls != nil {
		c.reloaded(c.tls.Reload(), log)
	}
}

func (c *channels) reloaded(err error, log *slog.Logger) {
	if err != nil {
		log.Error("the certificates were not replaced; the old ones stay", "error", err)
		return
	}
	log.Info("the certificates were replaced", "expire", c.tls.Snapshot().NotAfter())
	for _, warning := range c.tls.Warnings() {
		log.Warn("TLS", "warning", warning)
	}
	if c.certified != nil {
		c.certified.Recheck(func(remote net.Addr, why error) {
			log.Warn("cut: the client's certificate is good no more", "addr", remote.String(), "error", why)
		})
	}
}

// options are the listeners'. The keys of psk are the devices'.
func (c *channels) options(s *Settings, e *endpoint, sockets *systemd.Sockets) listen.Options {
	o := listen.Options{
		ProxyFrom: s.ProxyFrom, UnauthenticatedBytes: s.Bounds.unauthenticated(), Inherited: sockets.Listener,
	}
	if c.tls != nil {
		o.TLS, o.Certified = c.tls.Config(), c.certified
	}
	if e.platform != nil {
		o.PSK = &psk.Config{Key: e.platform.PSKKey}
	}
	return o
}

func (c *channels) close() {
	if c.stop != nil {
		c.stop()
		<-c.done
	}
}
