package credential

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
)

func TestCertificatesThatNameADevice(t *testing.T) {
	attribute := func(oid asn1.ObjectIdentifier, values ...string) (all []pkix.AttributeTypeAndValue) {
		for _, v := range values {
			all = append(all, pkix.AttributeTypeAndValue{Type: oid, Value: v})
		}
		return all
	}
	ou := asn1.ObjectIdentifier{2, 5, 4, 11}
	for _, test := range []struct {
		name     string
		ous, cns []string
		ok       bool
	}{
		{"both", []string{"pk"}, []string{"dn"}, true},
		{"a name with the characters that names may have", []string{"pk-_1"}, []string{"dn-_@.:"}, true},
		{"no product", nil, []string{"dn"}, false},
		{"no device", []string{"pk"}, nil, false},
		{"empty", []string{""}, []string{""}, false},
		{"two products", []string{"pk", "pk"}, []string{"dn"}, false},
		{"two devices", []string{"pk"}, []string{"dn1", "dn2"}, false},
		{"an ampersand in the product", []string{"pk&x"}, []string{"dn"}, false},
		{"an ampersand in the device", []string{"pk"}, []string{"dn&other"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var subject pkix.Name
			rdn := pkix.RDNSequence{}
			for _, a := range append(attribute(ou, test.ous...), attribute(commonName, test.cns...)...) {
				rdn = append(rdn, pkix.RelativeDistinguishedNameSET{a})
			}
			subject.FillFromRDNSequence(&rdn)
			pk, dn, ok := CertificateDevice(subject)
			if ok != test.ok || ok && (pk != test.ous[0] || dn != test.cns[0]) || !ok && pk+dn != "" {
				t.Errorf("%q, %q, %v", pk, dn, ok)
			}
		})
	}
}

func TestProofsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for p := NoProof; p <= ProofChip; p++ {
		if seen[p.String()] || p.String() == "unknown" {
			t.Errorf("%d is called %q", p, p)
		}
		seen[p.String()] = true
	}
	if Proof(99).String() != "unknown" {
		t.Error("a proof that does not exist has a name")
	}
}
