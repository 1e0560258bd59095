package listen_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/cmd/internal/listen"
	"sampan/cmd/internal/testtls"
)

// issue makes a certificate with a key of its own, unless one is given; without an issuer it signs itself.
func issue(t *testing.T, name string, ca bool, key *ecdsa.PrivateKey, issuer *x509.Certificate, signer crypto.Signer) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	if key == nil {
		made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		key = made
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IsCA: ca, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if ca {
		template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageCertSign, nil
	}
	if issuer == nil {
		issuer, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, key
}

// A client's certificate leads to trust in two ways, since one authority has signed the other. A way that does not
// hold lets it in no more, and is not told as what has proved the client.
func TestOnlyChainsThatHoldAreTold(t *testing.T) {
	first, firstKey := issue(t, "first", true, nil, nil, nil)
	second, secondKey := issue(t, "second", true, nil, nil, nil)
	across, _ := issue(t, "first", true, firstKey, second, secondKey)
	leaf, key := issue(t, "device", false, nil, first, firstKey)
	trusted := x509.NewCertPool()
	trusted.AddCert(first)
	trusted.AddCert(second)
	server := testtls.NewServer(t)
	errBad := errors.New("is good no more")
	for _, c := range []struct {
		name string
		bad  []*x509.Certificate // authorities that are good no more
		told []*x509.Certificate // where the chains end that are told; none: the client is refused
	}{
		{"both hold", nil, []*x509.Certificate{first, second}},
		{"one holds", []*x509.Certificate{first}, []*x509.Certificate{second}},
		{"the other holds", []*x509.Certificate{second}, []*x509.Certificate{first}},
		{"none holds", []*x509.Certificate{first, second}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			check := func(state tls.ConnectionState) error { // as tlsconf does: one that holds is enough
				for _, chain := range state.VerifiedChains {
					end, bad := chain[len(chain)-1], false
					for _, b := range c.bad {
						bad = bad || end.Equal(b)
					}
					if !bad {
						return nil
					}
				}
				return errBad
			}
			among := &listen.Certified{Check: check}
			seen := make(chan broker.Channel, 1)
			u := serve(t, "mqtts://127.0.0.1:0", listen.Options{Certified: among, TLS: &tls.Config{
				Certificates: []tls.Certificate{server.Certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted,
			}}, seen)
			conn, err := tls.Dial("tcp", u.HostPort(), &tls.Config{RootCAs: server.Roots, ServerName: "localhost",
				Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw, across.Raw}, PrivateKey: key}}})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			conn.Write([]byte("\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x"))
			if _, err := conn.Read(make([]byte, 4)); (err == nil) != (len(c.told) > 0) {
				t.Fatalf("answer: %v", err)
			}
			if len(c.told) == 0 {
				if n := among.Len(); n != 0 {
					t.Errorf("%d connections are kept", n)
				}
				return
			}
			chains := (<-seen).TLS.VerifiedChains
			if len(chains) != len(c.told) {
				t.Fatalf("%d chains are told, want %d", len(chains), len(c.told))
			}
			for _, end := range c.told {
				found := false
				for _, chain := range chains {
					found = found || chain[len(chain)-1].Equal(end)
				}
				if !found {
					t.Errorf("no chain ends at %s", end.Subject)
				}
			}
		})
	}
}

// mutual is what a server that asks for certificates is made with, and a client that has one.
func mutual(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	authority, authorityKey := issue(t, "authority", true, nil, nil, nil)
	leaf, key := issue(t, "device", false, nil, authority, authorityKey)
	trusted := x509.NewCertPool()
	trusted.AddCert(authority)
	own := testtls.NewServer(t)
	server = &tls.Config{Certificates: []tls.Certificate{own.Certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted}
	client = &tls.Config{RootCAs: own.Roots, ServerName: "localhost", Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}}
	return server, client
}

// Of a client with a certificate that comes to nothing behind its handshake nothing is kept.
func TestCertifiedClientsThatGiveUpAreForgotten(t *testing.T) {
	server, client := mutual(t)
	for _, url := range []string{"mqtts://127.0.0.1:0", "wss://127.0.0.1:0", "auto://127.0.0.1:0", "auto://127.0.0.1:0?accept=low"} {
		for name, sent := range map[string]string{"nothing": "", "no protocol": "\x00\x00", "no CONNECT": "\xc0\x00", "a request for a page": "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT": "\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x"} {
			t.Run(url+", "+name, func(t *testing.T) {
				among := &listen.Certified{Check: func(tls.ConnectionState) error { return nil }}
				u := serve(t, url, listen.Options{Certified: among, TLS: server}, nil)
				conn, err := tls.Dial("tcp", u.HostPort(), client)
				if err != nil {
					t.Fatal(err)
				}
				conn.Write([]byte(sent))
				conn.CloseWrite()
				conn.SetReadDeadline(time.Now().Add(brokertest.Patience))
				if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("still open: %v", err)
				}
				conn.Close()
				eventually(t, "nothing is kept", func() bool { return among.Len() == 0 })
			})
		}
	}
}

// A connection that is cut is told by the address of the client, not by that of the proxy before it.
func TestACutClientIsToldByItsAddress(t *testing.T) {
	server, client := mutual(t)
	var bad atomic.Bool
	among := &listen.Certified{Check: func(tls.ConnectionState) error {
		if bad.Load() {
			return errors.New("is good no more")
		}
		return nil
	}}
	u := serve(t, "mqtts://127.0.0.1:0", listen.Options{Certified: among, ProxyFrom: []netip.Prefix{netip.MustParsePrefix(local)}, TLS: server}, nil)
	below, err := net.Dial("tcp", u.HostPort())
	if err != nil {
		t.Fatal(err)
	}
	defer below.Close()
	below.SetDeadline(time.Now().Add(brokertest.Patience))
	below.Write(header(2, "198.51.100.7:7"))
	conn := tls.Client(below, client)
	conn.Write([]byte("\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x"))
	if _, err := io.ReadFull(conn, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	bad.Store(true)
	var cut []string
	among.Recheck(func(remote net.Addr, _ error) { cut = append(cut, remote.String()) })
	if len(cut) != 1 || cut[0] != "198.51.100.7:7" {
		t.Errorf("cut: %v", cut)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("it is still there")
	}
}
