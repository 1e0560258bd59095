package tlsconf

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Errors for client certificates, RFC 5280.
var (
	// ErrUntrusted: the certificate led to a client CA that is none any more.
	ErrUntrusted = errors.New("tlsconf: certificate leads to an authority that is trusted no more")
	// ErrRevoked: a revocation list names the certificate.
	ErrRevoked = errors.New("tlsconf: certificate is revoked")
	// ErrNoFreshCRL: Options.RequireFreshCRL is set, and there is no list of
	// the certificate's issuer that is in force.
	ErrNoFreshCRL = errors.New("tlsconf: no revocation list in force for the certificate's issuer")
)

// revocations are the lists of one snapshot, by their issuer's name.
type revocations struct {
	byIssuer     map[string][]*revocationList
	requireFresh bool
}

// revocationList is one list. Whether its issuer has signed it is found out
// when the issuer's certificate is at hand and remembered.
type revocationList struct {
	file    string
	list    *x509.RevocationList
	serials map[string]bool

	mu     sync.Mutex
	signed map[[sha256.Size]byte]bool // by the issuer certificate's fingerprint
}

// loadCRLs reads lists, in PEM (several to a file) or DER. A list that claims
// an issuer among cas must carry its signature.
func loadCRLs(files []string, cas []*x509.Certificate) (*revocations, error) {
	r := &revocations{byIssuer: map[string][]*revocationList{}}
	for _, file := range files {
		b, err := read("CRL", file, maxCRLFile)
		if err != nil {
			return nil, err
		}
		lists, err := parseCRLs(b)
		if err != nil {
			return nil, &FileError{"CRL", file, err}
		}
		for _, list := range lists {
			l := &revocationList{file: file, list: list, serials: make(map[string]bool, len(list.RevokedCertificateEntries))}
			for _, e := range list.RevokedCertificateEntries {
				l.serials[string(e.SerialNumber.Bytes())] = true
			}
			if !l.issuedByOneOf(cas) {
				return nil, &FileError{"CRL", file, errors.New("the signature is not that of its issuer " + list.Issuer.String())}
			}
			issuer := string(list.RawIssuer)
			r.byIssuer[issuer] = append(r.byIssuer[issuer], l)
		}
	}
	return r, nil
}

// issuedByOneOf is also true if none of cas has the issuer's name: it may be
// an intermediate that only clients show.
func (l *revocationList) issuedByOneOf(cas []*x509.Certificate) bool {
	known := false
	for _, ca := range cas {
		if bytes.Equal(ca.RawSubject, l.list.RawIssuer) {
			known = true
			if l.issuedBy(ca) {
				return true
			}
		}
	}
	return !known
}

func (l *revocationList) issuedBy(ca *x509.Certificate) bool {
	key := sha256.Sum256(ca.Raw)
	l.mu.Lock()
	defer l.mu.Unlock()
	signed, seen := l.signed[key]
	if !seen {
		signed = l.list.CheckSignatureFrom(ca) == nil
		if l.signed == nil {
			l.signed = map[[sha256.Size]byte]bool{}
		}
		if len(l.signed) < maxRememberedIssuers {
			l.signed[key] = signed
		}
	}
	return signed
}

// maxRememberedIssuers bounds what is remembered; a list has one issuer, with
// a few certificates at most.
const maxRememberedIssuers = 16

func (l *revocationList) fresh(now time.Time) bool {
	return !now.Before(l.list.ThisUpdate) && (l.list.NextUpdate.IsZero() || now.Before(l.list.NextUpdate))
}

func parseCRLs(b []byte) (lists []*x509.RevocationList, err error) {
	if !bytes.Contains(b, []byte("-----BEGIN ")) {
		list, err := parseCRL(b)
		return []*x509.RevocationList{list}, err
	}
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			break
		}
		if block.Type != "X509 CRL" {
			return nil, fmt.Errorf("holds a %s", block.Type)
		}
		list, err := parseCRL(block.Bytes)
		if err != nil {
			return nil, err
		}
		lists = append(lists, list)
	}
	if len(lists) == 0 {
		return nil, errors.New("holds no CRL")
	}
	return lists, nil
}

// parseCRL refuses lists with critical extensions: delta lists and lists of a
// part of the certificates mean something else than they seem to.
func parseCRL(der []byte) (*x509.RevocationList, error) {
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, err
	}
	for _, e := range list.Extensions {
		if e.Critical {
			return nil, fmt.Errorf("has the critical extension %v, which is not supported", e.Id)
		}
	}
	return list, nil
}

// checkClient refuses a client if every chain of its certificates ends at one
// that is trusted no more, or holds a revoked one. The trusted one itself is
// not looked up in the lists.
func (s *Snapshot) checkClient(state tls.ConnectionState, now time.Time) error {
	var first error
	for _, chain := range state.VerifiedChains {
		err := s.trusts(chain)
		if err == nil {
			err = s.revocations.checkChain(chain, now)
		}
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// trusts says whether a chain that was verified once ends at a client CA of the
// snapshot. A CA whose certificate was renewed is the same one.
func (s *Snapshot) trusts(chain []*x509.Certificate) error {
	if root := chain[len(chain)-1]; !s.trusted[authorityOf(root)] {
		return fmt.Errorf("%w: %s", ErrUntrusted, root.Subject)
	}
	return nil
}

// authorityOf tells authorities apart as chains do: by name and key.
func authorityOf(c *x509.Certificate) [sha256.Size]byte {
	return sha256.Sum256(slices.Concat(c.RawSubjectPublicKeyInfo, c.RawSubject))
}

func (r *revocations) checkChain(chain []*x509.Certificate, now time.Time) error {
	for i := range len(chain) - 1 {
		list := r.newest(chain[i+1], now)
		switch {
		case list != nil && list.serials[string(chain[i].SerialNumber.Bytes())]:
			return fmt.Errorf("%w: serial %s of %s (%s)", ErrRevoked, chain[i].SerialNumber.Text(16), chain[i].Issuer, list.file)
		case r.requireFresh && (list == nil || !list.fresh(now)):
			return fmt.Errorf("%w: %s", ErrNoFreshCRL, chain[i].Issuer)
		}
	}
	return nil
}

// newest is the issuer's list with the latest date that has come; nil if there
// is none. If no date has come, it is the list with the earliest: the issuer's
// clock may be ahead of this one, and what is revoked must not come in meanwhile.
func (r *revocations) newest(issuer *x509.Certificate, now time.Time) *revocationList {
	var best *revocationList
	for _, l := range r.byIssuer[string(issuer.RawSubject)] {
		if (best == nil || l.before(best, now)) && l.issuedBy(issuer) {
			best = l
		}
	}
	return best
}

// before says that l counts now rather than m.
func (l *revocationList) before(m *revocationList, now time.Time) bool {
	mine, other := l.list.ThisUpdate, m.list.ThisUpdate
	if mine.After(now) || other.After(now) {
		return mine.Before(other)
	}
	return mine.After(other)
}
