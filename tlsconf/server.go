package tlsconf

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options say where a server's TLS comes from. Files are in PEM form.
type Options struct {
	// Policy: the zero value is Modern.
	Policy Policy
	// Certificates of the server, at least one. With several, crypto/tls
	// takes the first that suits the client's name, suites and algorithms.
	Certificates []Certificate

	// ClientCAFile holds the certificates that client certificates must lead
	// to. Empty: clients are not asked for one.
	ClientCAFile string
	// RequireClientCert refuses clients without a certificate.
	RequireClientCert bool
	// CRLFiles hold revocation lists for client certificates, PEM or DER.
	CRLFiles []string
	// RequireFreshCRL refuses client certificates whose issuer has no list in
	// force. Otherwise a list whose time is over, or has not come while there is
	// no other, still counts, with a warning, and no list means nothing is
	// revoked.
	RequireFreshCRL bool

	// NextProtos for ALPN, most wanted first.
	NextProtos []string
	// NoSessionTickets turns resumption off.
	NoSessionTickets bool
	// TicketRotation is how often the key for session tickets changes; a
	// ticket is good for two to three times that. 0 means
	// DefaultTicketRotation.
	TicketRotation time.Duration

	// Now is the clock, nil for time.Now.
	Now func() time.Time
	// Rand is nil for crypto/rand.Reader; anything else is for tests.
	Rand io.Reader
}

// Certificate is a chain, the server's own certificate first, and its key.
type Certificate struct {
	CertFile string
	// KeyFile holds the key, and may be the same file.
	KeyFile string
	// Signer takes the place of KeyFile for a key that does not leave its
	// chip or token. For the static RSA suites of Platform and Legacy it must
	// be a crypto.Decrypter too.
	Signer crypto.Signer
}

// Server is a TLS configuration whose files can be replaced while it is used.
type Server struct {
	options Options
	tickets tickets
	current atomic.Pointer[Snapshot]

	// mu is held while files are read, and guards what follows.
	mu     sync.Mutex
	stamps map[string]stamp // of each file before the last attempt to read it
	status Status
	again  time.Time // when a set that failed is tried again
}

// retryEvery is how often a set that failed is tried again without a change.
const retryEvery = time.Minute

// Status is how the last attempts to load went.
type Status struct {
	Reloads  uint64 // that were put to use, the first not counted
	Failures uint64
	// LastError is that of the last attempt, nil if it was put to use.
	LastError error
}

// New reads all files. An error says which one is at fault (see FileError).
func New(o Options) (*Server, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.TicketRotation == 0 {
		o.TicketRotation = DefaultTicketRotation
	}
	s := &Server{options: o, tickets: tickets{every: o.TicketRotation, rand: o.Rand}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return nil, err
	}
	return s, nil
}

func (o *Options) check() error {
	switch {
	case o.Policy > Legacy:
		return errors.New("tlsconf: Options.Policy is none of the policies")
	case len(o.Certificates) == 0:
		return errors.New("tlsconf: Options.Certificates is empty")
	case o.ClientCAFile == "" && (o.RequireClientCert || len(o.CRLFiles) > 0 || o.RequireFreshCRL):
		return errors.New("tlsconf: client certificates or CRLs are asked for, and Options.ClientCAFile is not set")
	case o.TicketRotation < 0:
		return errors.New("tlsconf: Options.TicketRotation is negative")
	}
	for _, c := range o.Certificates {
		if c.CertFile == "" || (c.KeyFile == "") == (c.Signer == nil) {
			return errors.New("tlsconf: a Certificate needs CertFile, and either KeyFile or Signer")
		}
	}
	return nil
}

// Config is the configuration to serve with. Each handshake uses the files as
// they were last loaded, so nothing that is set on the result but
// GetConfigForClient has an effect.
func (s *Server) Config() *tls.Config {
	c := s.options.Policy.Config()
	c.GetConfigForClient = s.configFor
	return c
}

// Snapshot is what is in use now.
func (s *Server) Snapshot() *Snapshot { return s.current.Load() }

// Policy is the server's policy.
func (s *Server) Policy() Policy { return s.options.Policy }

// Status says how loading went so far.
func (s *Server) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Warnings are the policy's and those of the files in use, for the log.
func (s *Server) Warnings() []string {
	var w []string
	if p := s.options.Policy.Warning(); p != "" {
		w = append(w, p)
	}
	return append(w, s.Snapshot().Warnings...)
}

// Reload reads all files again. They are put to use together, for handshakes
// from now on, or not at all: on an error everything stays as it was.
// Connections that exist go on; see CheckClient.
func (s *Server) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reload()
}

// reload is Reload with mu held.
func (s *Server) reload() error {
	err := s.load()
	if s.status.LastError = err; err != nil {
		s.status.Failures++
		s.again = s.options.Now().Add(retryEvery)
		return err
	}
	s.status.Reloads++
	return nil
}

// load reads the files with mu held.
func (s *Server) load() error {
	now := s.options.Now()
	// The stamps are taken first: a change while reading shows as one later.
	s.stamps = s.stampAll()
	snapshot, err := load(&s.options, now)
	if err != nil {
		return err
	}
	if old := s.current.Load(); old != nil {
		if err := snapshot.worseThan(old, now); err != nil {
			return err
		}
	}
	for _, c := range snapshot.configs() {
		c.VerifyConnection = s.CheckClient
	}
	keys, _, err := s.tickets.current(now)
	if err != nil {
		return err
	}
	snapshot.setTicketKeys(keys)
	s.current.Store(snapshot)
	return nil
}

func (s *Snapshot) setTicketKeys(keys [][32]byte) {
	for _, c := range s.configs() {
		c.SetSessionTicketKeys(keys)
	}
}

// Watch looks at the files at each tick and reloads them if one has changed.
// After a reload it calls report, if that is not nil, with the error or nil. A
// set that failed is tried again when a file changes again, and every minute:
// what was wrong may be the time, a permission or a lack of descriptors. The same
// error is then not reported again. Watch returns when the context ends; the
// caller owns the ticker, typically one of a few seconds.
func (s *Server) Watch(ctx context.Context, tick <-chan time.Time, report func(error)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		if news, err := s.reloadIfDue(); news && report != nil {
			report(err)
		}
	}
}

// reloadIfDue reloads if a file has changed or a set that failed is to be tried
// again. news says that there is something to report.
func (s *Server) reloadIfDue() (news bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed() {
		return true, s.reload()
	}
	before := s.status.LastError
	if before == nil || s.options.Now().Before(s.again) {
		return false, nil
	}
	err = s.reload()
	return err == nil || err.Error() != before.Error(), err
}

// changed compares the files with what they were, with mu held.
func (s *Server) changed() bool {
	for file, now := range s.stampAll() {
		if !now.same(s.stamps[file]) {
			return true
		}
	}
	return false
}

func (s *Server) stampAll() map[string]stamp {
	stamps := map[string]stamp{}
	for _, c := range s.options.Certificates {
		stamps[c.CertFile] = stampOf(c.CertFile)
		if c.KeyFile != "" {
			stamps[c.KeyFile] = stampOf(c.KeyFile)
		}
	}
	if file := s.options.ClientCAFile; file != "" {
		stamps[file] = stampOf(file)
	}
	for _, file := range s.options.CRLFiles {
		stamps[file] = stampOf(file)
	}
	return stamps
}

// CheckClient refuses a client whose certificate does not lead to one of the
// client CAs in use now, or that the lists in use now name. It runs at every
// handshake, resumed ones included; after a reload a server may call it for the
// connections it has.
func (s *Server) CheckClient(state tls.ConnectionState) error {
	return s.Snapshot().checkClient(state, s.options.Now())
}

// configFor gives each handshake the files and ticket keys of the moment.
func (s *Server) configFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if !s.options.NoSessionTickets {
		if err := s.rotateTickets(); err != nil {
			return nil, err
		}
	}
	snapshot := s.current.Load()
	if snapshot.unsigned != nil && takesNoSignature(hello) {
		return snapshot.unsigned, nil
	}
	// A client of TLS 1.3 has already sent its part of the key exchange, and
	// would have to begin again; below, the server chooses.
	if _, most := s.options.Policy.Versions(); min(most, highestVersion(hello)) < tls.VersionTLS13 &&
		slices.Contains(hello.SupportedCurves, tls.CurveP256) {
		return snapshot.nist, nil
	}
	return snapshot.config, nil
}

// highestVersion is the client's highest protocol version.
func highestVersion(hello *tls.ClientHelloInfo) (highest uint16) {
	for _, v := range hello.SupportedVersions {
		highest = max(highest, v)
	}
	return highest
}

// rotateTickets changes the keys for session tickets if it is time.
func (s *Server) rotateTickets() error {
	_, changed, err := s.tickets.current(s.options.Now())
	if err != nil || !changed {
		return err
	}
	// Under mu, so that a snapshot being loaded cannot end up with old keys.
	s.mu.Lock()
	defer s.mu.Unlock()
	keys, _, err := s.tickets.current(s.options.Now())
	if err != nil {
		return err
	}
	s.current.Load().setTicketKeys(keys)
	return nil
}

// takesNoSignature says that the client will speak TLS 1.2 and names only
// signatures with SHA-1, or none, which means SHA-1 (RFC 5246 section
// 7.4.1.4.1). crypto/tls makes no such signature in TLS 1.2 (GODEBUG tlssha1)
// but picks a suite before it finds out.
func takesNoSignature(hello *tls.ClientHelloInfo) bool {
	if highestVersion(hello) != tls.VersionTLS12 {
		return false // signatures of TLS 1.0 and 1.1 are of another kind
	}
	for _, scheme := range hello.SignatureSchemes {
		switch scheme {
		case tls.PKCS1WithSHA1, tls.ECDSAWithSHA1:
		case tls.PKCS1WithSHA256, tls.PKCS1WithSHA384, tls.PKCS1WithSHA512,
			tls.PSSWithSHA256, tls.PSSWithSHA384, tls.PSSWithSHA512,
			tls.ECDSAWithP256AndSHA256, tls.ECDSAWithP384AndSHA384, tls.ECDSAWithP521AndSHA512, tls.Ed25519:
			return false
		}
	}
	return true
}
