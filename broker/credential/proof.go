package credential

import "crypto/x509/pkix"

// Proof is by what a channel has proved the device behind it, if it has.
type Proof uint8

const (
	NoProof          Proof = iota // the password is to prove it
	ProofKey                      // a pre-shared key that is made of the device's secret
	ProofCertificate              // a client certificate that names the device, or is bound to it
	ProofChip                     // a chip, checked by a terminator in front of the broker
)

var proofNames = [...]string{"password", "pre-shared key", "certificate", "chip"}

// String names the proof for the log.
func (p Proof) String() string {
	if int(p) < len(proofNames) {
		return proofNames[p]
	}
	return "unknown"
}

// CertificateDevice is the device that a certificate's subject names: OU is its ProductKey and CN its
// DeviceName. ok is false unless there is exactly one of each; such a certificate names nobody.
//
// The platform makes the certificates of its devices itself and does not say what is in them, so this form is
// ours. Who may issue such certificates may speak for every device of the products that leave it to them: see
// docs/security.md.
func CertificateDevice(subject pkix.Name) (productKey, deviceName string, ok bool) {
	names := 0
	for _, attribute := range subject.Names {
		if attribute.Type.Equal(commonName) {
			names++
		}
	}
	if names != 1 || len(subject.OrganizationalUnit) != 1 {
		return "", "", false
	}
	productKey, deviceName = subject.OrganizationalUnit[0], subject.CommonName
	// The same text as a user name must mean the same device.
	pk, dn, ok := ParseUsername([]byte(deviceName + "&" + productKey))
	if !ok || string(pk) != productKey || string(dn) != deviceName {
		return "", "", false
	}
	return productKey, deviceName, true
}

var commonName = []int{2, 5, 4, 3} // id-at-commonName, RFC 5280 appendix A
