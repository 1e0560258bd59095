package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"sampan/tlsconf/psk"
)

// site is what all servers have in common: certificates, a device with its key, and a place behind stunnel.
type site struct {
	dir, sampan string
	roots       *x509.CertPool
	psk         string
	backend     net.Listener
}

// The device whose pre-shared key is used.
const (
	productKey = "handshakes"
	deviceName = "bench1"
	identity   = "devicename|hmacsha256|" + productKey + "&" + deviceName + "|2524608000000"
)

func newSite(ctx context.Context, sampan string) (s *site, err error) {
	s = &site{sampan: sampan, roots: x509.NewCertPool()}
	if s.dir, err = os.MkdirTemp("", "handshakes"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err = s.makeCertificates(); err != nil {
		return nil, err
	}
	if s.sampan == "" {
		s.sampan = s.path("sampan")
		build := exec.CommandContext(ctx, "go", "build", "-o", s.sampan, "./sampan")
		build.Dir, build.Stderr = "cmd", os.Stderr
		if err = build.Run(); err != nil {
			return nil, fmt.Errorf("building Sampan from ./cmd: %w", err)
		}
	}
	if err = s.makeDevice(ctx); err != nil {
		return nil, err
	}
	if s.backend, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	go discard(s.backend) // ends when it is closed
	return s, nil
}

func (s *site) close() {
	if s.backend != nil {
		s.backend.Close()
	}
	os.RemoveAll(s.dir)
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) makeCertificates() error {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	ecdsaKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	for name, key := range map[string]crypto.Signer{"rsa": rsaKey, "ecdsa": ecdsaKey} {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
			KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			return err
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		s.roots.AddCert(leaf)
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: private}} {
			if err := os.WriteFile(s.path(file), pem.EncodeToMemory(block), 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// makeDevice registers a device with Sampan, and tells stunnel its key.
func (s *site) makeDevice(ctx context.Context) error {
	var made []struct{ DeviceSecret string }
	for _, args := range [][]string{{"product", "create", "--key", productKey}, {"device", "create", productKey, deviceName, "--json"}} {
		out, err := exec.CommandContext(ctx, s.sampan, append(args, "--data", s.path("data"))...).Output()
		if err != nil {
			return fmt.Errorf("%v: %w", args, err)
		}
		if args[0] == "device" {
			if err := json.Unmarshal(out, &made); err != nil {
				return err
			}
		}
	}
	id, err := psk.ParsePlatformIdentity(identity)
	if err != nil {
		return err
	}
	key := id.Key(made[0].DeviceSecret)
	s.psk = string(key)
	return os.WriteFile(s.path("stunnel.psk"), fmt.Appendf(nil, "%s:%x\n", identity, key), 0o600)
}

// discard is what stunnel connects to: it waits for the end and closes.
func discard(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			io.Copy(io.Discard, conn)
			conn.Close()
		}()
	}
}
