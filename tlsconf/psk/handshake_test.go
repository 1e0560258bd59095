package psk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

const testIdentity = "devicename|hmacsha256|a1B2c3D4e5&dev1|2524608000000"

var testKey = []byte("0CD8A0E8794C67A37E8F309608106D5B7BF3B1E4DFB6509A99989E5E8A40E6CF")

// shortIdentity has a key of 32 bytes, the most that some libraries take.
const shortIdentity = "short"

func serverConfig() *Config {
	return &Config{Key: func(_ context.Context, identity []byte) ([]byte, bool) {
		if string(identity) == shortIdentity {
			return testKey[:32], true
		}
		return testKey, string(identity) == testIdentity
	}}
}

func clientConfig() *Config {
	return &Config{Identity: []byte(testIdentity), PSK: testKey}
}

// pair runs a handshake over an in-memory connection and returns both ends
// and both errors.
func pair(clientConfig, serverConfig *Config, prepare ...func(toServer, toClient *stream)) (client, server *Conn, clientErr, serverErr error) {
	c, s, toServer, toClient := pipe()
	for _, p := range prepare {
		p(toServer, toClient)
	}
	client, server = Client(c, clientConfig), Server(s, serverConfig)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if clientErr = client.Handshake(); clientErr != nil {
			c.out.Close() // nothing follows; what was said can still be read
		}
	}()
	if serverErr = server.Handshake(); serverErr != nil {
		s.out.Close()
	}
	<-done
	return client, server, clientErr, serverErr
}

// pairWithDeadline is pair for peers that may be made to wait for ever; it runs
// in a synctest bubble, whose clock passes the deadline at once.
func pairWithDeadline(clientConfig, serverConfig *Config, prepare ...func(toServer, toClient *stream)) (client, server *Conn, clientErr, serverErr error) {
	return pair(clientConfig, serverConfig, append(prepare, func(toServer, toClient *stream) {
		for _, s := range []*stream{toServer, toClient} {
			time.AfterFunc(time.Minute, s.Close)
		}
	})...)
}

func connected(t testing.TB, clientConfig, serverConfig *Config, prepare ...func(toServer, toClient *stream)) (client, server *Conn) {
	t.Helper()
	client, server, clientErr, serverErr := pair(clientConfig, serverConfig, prepare...)
	if clientErr != nil || serverErr != nil {
		t.Fatalf("client: %v, server: %v", clientErr, serverErr)
	}
	return client, server
}

// variant is one combination of what can be negotiated.
type variant struct {
	suite    uint16
	etm, ems bool
}

func (v variant) String() string {
	return fmt.Sprintf("%s/etm=%v/ems=%v", CipherSuiteName(v.suite), v.etm, v.ems)
}

func (v variant) client() *Config {
	c := clientConfig()
	c.CipherSuites = []uint16{v.suite}
	c.NoEncryptThenMAC, c.NoExtendedMasterSecret = !v.etm, !v.ems
	return c
}

func variants() (all []variant) {
	for _, id := range CipherSuites() {
		for _, etm := range []bool{false, true} {
			for _, ems := range []bool{false, true} {
				all = append(all, variant{id, etm, ems})
			}
		}
	}
	return all
}

func TestEverySuiteCarriesDataBothWays(t *testing.T) {
	for _, v := range variants() {
		t.Run(v.String(), func(t *testing.T) {
			client, server := connected(t, v.client(), serverConfig())
			want := ConnectionState{
				HandshakeComplete:    true,
				Identity:             testIdentity,
				CipherSuite:          v.suite,
				EncryptThenMAC:       v.etm && !suiteByID(v.suite).aead(),
				ExtendedMasterSecret: v.ems,
				MaxFragment:          16384,
			}
			if suiteByID(v.suite).ecdhe {
				want.Group = 23
			}
			if got := server.ConnectionState(); got != want {
				t.Errorf("server state %+v, want %+v", got, want)
			}
			if got := client.ConnectionState(); got != want {
				t.Errorf("client state %+v, want %+v", got, want)
			}
			for _, n := range []int{1, 2, 15, 16, 17, 511, 512, 513, 16383, 16384, 16385, 100000} {
				sent := bytes.Repeat([]byte{byte(n)}, n)
				for _, way := range [][2]*Conn{{client, server}, {server, client}} {
					if m, err := way[0].Write(sent); m != n || err != nil {
						t.Fatalf("write of %d: %d, %v", n, m, err)
					}
					got := make([]byte, n)
					if _, err := io.ReadFull(way[1], got); err != nil || !bytes.Equal(got, sent) {
						t.Fatalf("read of %d: %v", n, err)
					}
				}
			}
			if server.in.big != nil || len(server.in.buf) > keptBuffer {
				t.Errorf("idle connection keeps %d bytes", len(server.in.buf))
			}
			client.Close()
			if _, err := server.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("after close_notify: got %v, want EOF", err)
			}
			if _, err := client.Write([]byte("x")); err == nil {
				t.Error("write after Close succeeded")
			}
			if err := client.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("second Close: %v", err)
			}
		})
	}
}

func TestServerPrefersForwardSecrecyThenAEAD(t *testing.T) {
	allowed := CipherSuites()
	for len(allowed) > 0 {
		c := clientConfig()
		// The client's order is the reverse; it does not matter.
		for i := range allowed {
			c.CipherSuites = append(c.CipherSuites, allowed[len(allowed)-1-i])
		}
		_, server := connected(t, c, serverConfig())
		if got := server.ConnectionState().CipherSuite; got != allowed[0] {
			t.Errorf("of %x: %x chosen", allowed, got)
		}
		allowed = allowed[1:]
	}
}

func TestServerAllowsOnlyConfiguredSuites(t *testing.T) {
	s := serverConfig()
	s.CipherSuites = []uint16{TLS_PSK_WITH_AES_128_CBC_SHA}
	_, server := connected(t, clientConfig(), s)
	if got := server.ConnectionState().CipherSuite; got != TLS_PSK_WITH_AES_128_CBC_SHA {
		t.Errorf("%x chosen", got)
	}
	c := clientConfig()
	c.CipherSuites = []uint16{TLS_PSK_WITH_AES_128_GCM_SHA256}
	_, _, clientErr, serverErr := pair(c, s)
	wantAlert(t, serverErr, AlertHandshakeFailure, false)
	wantAlert(t, clientErr, AlertHandshakeFailure, true)
}

// wantAlert checks a typed error.
func wantAlert(t testing.TB, err error, want Alert, remote bool) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Alert != want || e.Remote != remote {
		t.Errorf("got %v, want alert %v (remote %v)", err, want, remote)
	}
}

func TestRequiredExtensions(t *testing.T) {
	for _, c := range []struct {
		name           string
		client, server func(*Config)
		serverErr      bool // else the client's
		want           Alert
	}{
		{"server wants ems", func(c *Config) { c.NoExtendedMasterSecret = true }, func(c *Config) { c.RequireExtendedMasterSecret = true }, true, AlertHandshakeFailure},
		{"client wants ems", func(c *Config) { c.RequireExtendedMasterSecret = true }, func(c *Config) { c.NoExtendedMasterSecret = true }, false, AlertHandshakeFailure},
		{"server wants etm", func(c *Config) {
			c.NoEncryptThenMAC = true
			c.CipherSuites = []uint16{TLS_PSK_WITH_AES_128_CBC_SHA}
		}, func(c *Config) { c.RequireEncryptThenMAC = true }, true, AlertHandshakeFailure},
		{"client wants etm", func(c *Config) {
			c.RequireEncryptThenMAC = true
			c.CipherSuites = []uint16{TLS_PSK_WITH_AES_128_CBC_SHA}
		}, func(c *Config) { c.NoEncryptThenMAC = true }, false, AlertHandshakeFailure},
	} {
		t.Run(c.name, func(t *testing.T) {
			cc, sc := clientConfig(), serverConfig()
			c.client(cc)
			c.server(sc)
			_, _, clientErr, serverErr := pair(cc, sc)
			wantAlert(t, clientErr, c.want, c.serverErr)
			wantAlert(t, serverErr, c.want, !c.serverErr)
		})
	}
	// Encrypt-then-MAC being required does not rule out AEAD.
	cc, sc := clientConfig(), serverConfig()
	cc.CipherSuites = []uint16{TLS_PSK_WITH_AES_128_GCM_SHA256}
	cc.NoEncryptThenMAC, sc.RequireEncryptThenMAC = true, true
	connected(t, cc, sc)
}

// What a client learns about an identity it has no key for: nothing. Answers
// are compared byte for byte, apart from the server's random.
func TestUnknownIdentityWrongKeyAndBadRecordLookTheSame(t *testing.T) {
	for _, v := range variants() {
		t.Run(v.String(), func(t *testing.T) {
			answer := func(c *Config, breakRecord bool) (sent []byte, clientErr, serverErr error) {
				var written []byte
				_, _, clientErr, serverErr = pair(c, serverConfig(), func(toServer, toClient *stream) {
					toClient.record = func(b []byte) { written = append(written, b...) }
					if breakRecord {
						flights := 0
						toServer.filter = func(b []byte) []byte {
							if flights++; flights == 2 {
								b[len(b)-1] ^= 1
							}
							return b
						}
					}
				})
				return written, clientErr, serverErr
			}
			wrong, unknown := v.client(), v.client()
			wrong.PSK = append(bytes.Clone(testKey[1:]), '0')
			unknown.Identity = []byte(strings.Replace(testIdentity, "dev1", "dev2", 1))
			a, errA, srvA := answer(wrong, false)
			b, errB, srvB := answer(unknown, false)
			c, errC, srvC := answer(v.client(), true)
			wantAlert(t, errA, AlertBadRecordMAC, true)
			wantAlert(t, errB, AlertBadRecordMAC, true)
			wantAlert(t, errC, AlertBadRecordMAC, true)
			if len(a) != len(b) || len(a) != len(c) || !bytes.Equal(a[len(a)-7:], b[len(b)-7:]) || !bytes.Equal(a[len(a)-7:], c[len(c)-7:]) {
				t.Errorf("answers differ:\n%x\n%x\n%x", a, b, c)
			}
			// Our own log may tell two of them apart.
			if !errors.Is(srvA, ErrBadRecord) || !errors.Is(srvB, ErrUnknownIdentity) || !errors.Is(srvC, ErrBadRecord) {
				t.Errorf("server errors: %v; %v; %v", srvA, srvB, srvC)
			}
		})
	}
}

// The key an unknown identity is given is the same each time, differs between
// identities and servers, and has the length of the real ones.
func TestUnknownKeyIsStablePerIdentityAndServer(t *testing.T) {
	a, b := serverConfig(), serverConfig()
	if a.init() != nil || b.init() != nil {
		t.Fatal("init failed")
	}
	k := a.unknownKey([]byte("x"))
	if len(k) != len(testKey) {
		t.Errorf("%d bytes", len(k))
	}
	if !bytes.Equal(k, a.unknownKey([]byte("x"))) || bytes.Equal(k, a.unknownKey([]byte("y"))) || bytes.Equal(k, b.unknownKey([]byte("x"))) {
		t.Error("not a function of identity and server")
	}
	a.UnknownKeyLen = 16
	if len(a.unknownKey(nil)) != 16 {
		t.Error("UnknownKeyLen ignored")
	}
}

func TestKeysTheLookupMustNotGive(t *testing.T) {
	for name, key := range map[string][]byte{"empty": {}, "nil": nil, "too long": make([]byte, MaxKey+1)} {
		s := &Config{Key: func(context.Context, []byte) ([]byte, bool) { return key, true }}
		_, _, clientErr, serverErr := pair(clientConfig(), s)
		wantAlert(t, clientErr, AlertBadRecordMAC, true)
		if !errors.Is(serverErr, ErrUnknownIdentity) {
			t.Errorf("%s: %v", name, serverErr)
		}
	}
}

func TestMaxFragmentIsKept(t *testing.T) {
	for _, n := range []int{512, 1024, 2048, 4096} {
		c := clientConfig()
		c.MaxFragment = n
		longest := 0
		client, server := connected(t, c, serverConfig(), func(_, toClient *stream) {
			toClient.record = func(b []byte) { longest = max(longest, len(b)) }
		})
		if client.ConnectionState().MaxFragment != n || server.ConnectionState().MaxFragment != n {
			t.Fatalf("%d not agreed", n)
		}
		longest = 0
		sent := make([]byte, 10*n+1)
		server.Write(sent)
		if _, err := io.ReadFull(client, sent); err != nil {
			t.Fatal(err)
		}
		if longest < n || longest > n+64+recordHeaderLen {
			t.Errorf("agreed on %d, record of %d sent", n, longest)
		}
		client.out.maxPlain = n + 1
		client.Write(make([]byte, n+1))
		_, err := server.Read(make([]byte, 1))
		wantAlert(t, err, AlertRecordOverflow, false)
	}
}

func TestIdentityHintReachesClient(t *testing.T) {
	for _, id := range []uint16{TLS_PSK_WITH_AES_128_CBC_SHA, TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256} {
		c, s := clientConfig(), serverConfig()
		c.CipherSuites = []uint16{id}
		s.IdentityHint = []byte("a hint")
		client, _ := connected(t, c, s)
		if got := client.ConnectionState().IdentityHint; got != "a hint" {
			t.Errorf("%x: hint %q", id, got)
		}
	}
}

// A client's key may depend on the hint.
func TestKeyMadeOfTheHint(t *testing.T) {
	for _, id := range []uint16{TLS_PSK_WITH_AES_128_CBC_SHA, TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256} {
		for hint, want := range map[string]Alert{"a hint": 0, "another hint": AlertBadRecordMAC} {
			c, s := clientConfig(), serverConfig()
			c.CipherSuites, c.PSK = []uint16{id}, nil
			s.IdentityHint = []byte(hint)
			c.PSKFor = func(hint []byte) ([]byte, error) {
				if string(hint) == "a hint" {
					return testKey, nil
				}
				return hint, nil
			}
			_, _, clientErr, serverErr := pair(c, s)
			if want == 0 && (clientErr != nil || serverErr != nil) {
				t.Errorf("%x: %v, %v", id, clientErr, serverErr)
			} else if want != 0 {
				wantAlert(t, serverErr, want, false)
			}
		}
	}
	failure := errors.New("the chip is gone")
	for name, key := range map[string]func([]byte) ([]byte, error){
		"error": func([]byte) ([]byte, error) { return nil, failure },
		"empty": func([]byte) ([]byte, error) { return nil, nil },
		"long":  func([]byte) ([]byte, error) { return make([]byte, MaxKey+1), nil },
	} {
		c := clientConfig()
		c.PSK, c.PSKFor = nil, key
		if _, _, err, _ := pair(c, serverConfig()); err == nil || name == "error" && !errors.Is(err, failure) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfigurationErrors(t *testing.T) {
	for name, c := range map[string]struct {
		config *Config
		client bool
	}{
		"server without Key":         {&Config{}, false},
		"unknown suite":              {&Config{Key: serverConfig().Key, CipherSuites: []uint16{0x1301}}, false},
		"hint too long":              {&Config{Key: serverConfig().Key, IdentityHint: make([]byte, MaxIdentity+1)}, false},
		"unknown key too long":       {&Config{Key: serverConfig().Key, UnknownKeyLen: MaxKey + 1}, false},
		"client without PSK":         {&Config{Identity: []byte("x")}, true},
		"client's key twice":         {&Config{PSK: testKey, PSKFor: func([]byte) ([]byte, error) { return testKey, nil }}, true},
		"client's PSK too long":      {&Config{PSK: make([]byte, MaxKey+1)}, true},
		"client's identity too long": {&Config{PSK: testKey, Identity: make([]byte, MaxIdentity+1)}, true},
		"fragment of no code":        {&Config{PSK: testKey, MaxFragment: 1000}, true},
	} {
		client, server, _, _ := pipe()
		end := Server(server, c.config)
		if c.client {
			end = Client(client, c.config)
		}
		err := end.Handshake()
		var e *Error
		if err == nil || errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
		if again := end.Handshake(); again != err {
			t.Errorf("%s: second answer %v", name, again)
		}
	}
}

func TestRandomnessFailureEndsTheHandshake(t *testing.T) {
	for n := range 200 { // bytes of randomness before the source dries up
		s := serverConfig()
		s.Rand = io.LimitReader(neverending(7), int64(n))
		_, _, clientErr, serverErr := pair(clientConfig(), s)
		if serverErr == nil && n < 32+32+32 {
			t.Fatalf("with %d bytes of randomness the server went on", n)
		}
		if (clientErr == nil) != (serverErr == nil) {
			t.Fatalf("%d: client %v, server %v", n, clientErr, serverErr)
		}
	}
}

type neverending byte

func (v neverending) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(v) + byte(i)
	}
	return len(b), nil
}
