package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Only who can issue certificates is an authority: a device's own certificate is a mistake.
func TestAuthorityKeys(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		made x509.Certificate
		want string // in the error
	}{
		"an authority":        {x509.Certificate{BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign}, ""},
		"without key usage":   {x509.Certificate{BasicConstraintsValid: true, IsCA: true}, ""},
		"a leaf":              {x509.Certificate{BasicConstraintsValid: true}, "CA:FALSE"},
		"a leaf without word": {x509.Certificate{}, "does not say CA:TRUE"},
		"a key for another use": {x509.Certificate{BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageDigitalSignature},
			"keyCertSign"},
	} {
		t.Run(name, func(t *testing.T) {
			c.made.SerialNumber, c.made.Subject = big.NewInt(1), pkix.Name{CommonName: "somebody"}
			c.made.NotBefore, c.made.NotAfter = time.Now(), time.Now().Add(time.Hour)
			der, err := x509.CreateCertificate(rand.Reader, &c.made, &c.made, key.Public(), key)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "c.pem")
			if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
				t.Fatal(err)
			}
			keys, err := authorityKeys([]string{file})
			switch {
			case c.want == "" && (err != nil || len(keys) != 1):
				t.Errorf("keys %v, %v", keys, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("keys %v, %v; want %q", keys, err, c.want)
			}
		})
	}
}
