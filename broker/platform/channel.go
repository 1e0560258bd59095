package platform

import (
	"crypto/sha256"
	"crypto/x509"
	"time"

	"sampan/broker"
	"sampan/broker/credential"
	"sampan/broker/device"
	"sampan/packet"
)

// shown is what a channel has proved of the client behind it.
type shown struct {
	by                     credential.Proof
	productKey, deviceName string
	until                  time.Time // how long the proof holds; zero: as long as the connection
	refusal                *broker.Refusal
}

// device reports whether the channel has proved a device, and not only that there is somebody.
func (s *shown) device() bool { return s.by != credential.NoProof }

// is reports whether the channel has proved this device.
func (s *shown) is(productKey, deviceName []byte) bool {
	return string(productKey) == s.productKey && string(deviceName) == s.deviceName
}

// username is the user name that means the device.
func (s *shown) username() string { return s.deviceName + "&" + s.productKey }

// show finds out whom the channel has proved.
func (p *Platform) show(c *broker.Channel) shown {
	switch c.Security {
	case broker.PSK:
		var id credential.PSKIdentity
		if !id.Parse([]byte(c.Identity)) {
			return strange("the channel proved "+c.Identity, "which names no device")
		}
		return shown{by: credential.ProofKey, productKey: string(id.ProductKey), deviceName: string(id.DeviceName)}
	case broker.Chip:
		pk, dn, ok := credential.ParseUsername([]byte(c.Identity))
		if !ok {
			return strange("the terminator of chips proved "+c.Identity, "which is not deviceName&productKey")
		}
		return shown{by: credential.ProofChip, productKey: string(pk), deviceName: string(dn)}
	case broker.TLS:
		if c.TLS != nil && len(c.TLS.VerifiedChains) > 0 {
			return p.showCertificate(c.TLS.VerifiedChains)
		}
	}
	return shown{}
}

// showCertificate finds the device of a certificate that leads to one of the listener's authorities: the one
// that it is bound to in the registry, or else the one that its subject names, unless another certificate is
// bound to that, or its product leaves that to other authorities. A certificate that belongs to no device proves
// nothing: its owner still has to sign.
func (p *Platform) showCertificate(chains [][]*x509.Certificate) shown {
	c := chains[0][0] // the same in every chain
	s := shown{by: credential.ProofCertificate, until: c.NotAfter}
	fingerprint := sha256.Sum256(c.Raw)
	if d, err := p.registry.ByCertificate(fingerprint); err == nil {
		s.productKey, s.deviceName = d.Product().Key, string(d.Name())
		return s
	}
	var ok bool
	if s.productKey, s.deviceName, ok = credential.CertificateDevice(c.Subject); !ok {
		return shown{}
	}
	named := "the certificate with serial number " + c.SerialNumber.Text(16) + " names " + s.username()
	if product, err := p.registry.Product(s.productKey); err == nil && !product.Trusts(authorities(chains)) {
		return strange(named, "and was issued by "+c.Issuer.String()+", which is none of the authorities of that product")
	}
	if d, err := p.registry.Device(s.productKey, s.deviceName); err == nil {
		if _, another := d.Certificate(); another {
			return strange(named, "to which another certificate is bound")
		}
	}
	return s
}

// authorities are the keys of those who have issued a certificate, up to the ones that are trusted.
func authorities(chains [][]*x509.Certificate) (keys []device.KeyFingerprint) {
	for _, chain := range chains {
		for _, c := range chain[1:] {
			keys = append(keys, sha256.Sum256(c.RawSubjectPublicKeyInfo))
		}
	}
	return keys
}

// strange is a channel that proved something that no CONNECT can go with.
func strange(what, why string) shown {
	return shown{refusal: refusal(credential.PartIdentity, what+", "+why)}
}

func refusal(part credential.Part, detail string) *broker.Refusal {
	return &broker.Refusal{Code: packet.ReturnCode(part.Code()), Rule: part.String(), Detail: detail}
}

// differs is the refusal of a CONNECT that names another device than the channel has proved.
func (s *shown) differs(username string) *broker.Refusal {
	return refusal(credential.PartIdentity, "the channel proved "+s.username()+" by its "+s.by.String()+", but CONNECT names "+username)
}

// counts says which proof stands for the password. The product decides: its devices prove themselves by their
// secret, by a certificate or by a chip, and by nothing else.
func (p *Platform) counts(s *shown, productKey []byte) credential.Proof {
	product, err := p.registry.LookupProduct(productKey)
	if err != nil || !suffices(product.AuthType, s.by) {
		return credential.NoProof
	}
	return s.by
}

// suffices reports whether a proof is one by which devices of a product may log in.
func suffices(required device.AuthType, by credential.Proof) bool {
	switch required {
	case device.ByCertificate:
		return by == credential.ProofCertificate
	case device.ByChip:
		return by == credential.ProofChip
	}
	return by == credential.NoProof || by == credential.ProofKey
}

// insufficient is the refusal of a device that proved itself in another way than its product demands.
func insufficient(d *device.Device, by credential.Proof) *broker.Refusal {
	return refusal(credential.PartProof, "the devices of product "+d.Product().Key+" prove who they are by "+d.Product().AuthType.String()+
		"; this one used its "+by.String())
}

// longestLifetime bounds what is worth a timer.
const longestLifetime = 366 * 24 * time.Hour

// lifetime is how long a connection may last that stands on this proof. 0: there is no such end.
func (s *shown) lifetime(now time.Time) time.Duration {
	if s.until.IsZero() || s.until.Sub(now) > longestLifetime {
		return 0
	}
	return max(time.Second, s.until.Sub(now))
}
