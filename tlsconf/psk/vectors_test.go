package psk

import (
	"bytes"
	"context"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// vector reads a file of lines "name value"; # starts a comment line.
func vector(t testing.TB, file string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, " "); ok && name != "#" {
			fields[name] = strings.TrimSpace(value)
		}
	}
	return fields
}

func TestPRFVector(t *testing.T) {
	v := vector(t, "testdata/prf-sha256.txt")
	raw := func(name string) []byte {
		b, err := hex.DecodeString(v[name])
		if err != nil || len(b) == 0 {
			t.Fatalf("%s: %v", name, err)
		}
		return b
	}
	want := raw("output")
	for n := range len(want) + 1 {
		got := prf(make([]byte, n), raw("secret"), v["label"], raw("seed"))
		if !bytes.Equal(got, want[:n]) {
			t.Fatalf("%d bytes: got %x, want %x", n, got, want[:n])
		}
	}
	// The seed may come in parts.
	seed := raw("seed")
	if got := prf(make([]byte, len(want)), raw("secret"), v["label"], seed[:3], seed[3:]); !bytes.Equal(got, want) {
		t.Errorf("seed in parts: got %x", got)
	}
}

func TestPremasterForms(t *testing.T) {
	// RFC 4279 section 2: N, N zeros, N, key.
	if got := premaster(nil, []byte{1, 2, 3}); !bytes.Equal(got, []byte{0, 3, 0, 0, 0, 0, 3, 1, 2, 3}) {
		t.Errorf("plain: %x", got)
	}
	// RFC 5489 section 2: the agreed secret in place of the zeros.
	if got := premaster([]byte{9, 8}, []byte{1, 2, 3}); !bytes.Equal(got, []byte{0, 2, 9, 8, 0, 3, 1, 2, 3}) {
		t.Errorf("ECDHE: %x", got)
	}
}

// RFC 5246 section 8.1 and RFC 7627 section 4.
func TestMasterSecretForms(t *testing.T) {
	for _, ems := range []bool{false, true} {
		h := &handshake{c: new(Conn), config: new(Config), transcript: newTranscript(), ems: ems, suite: suiteByID(TLS_PSK_WITH_AES_128_GCM_SHA256)}
		h.transcript.Write([]byte("the messages so far"))
		copy(h.clientRandom[:], "client")
		copy(h.serverRandom[:], "server")
		want := prf(make([]byte, masterLen), []byte("secret"), "master secret", h.clientRandom[:], h.serverRandom[:])
		if ems {
			want = prf(make([]byte, masterLen), []byte("secret"), "extended master secret", h.transcript.Sum(nil))
		}
		secret := []byte("secret")
		if _, err := h.keys(secret); err != nil || !bytes.Equal(h.master[:], want) {
			t.Errorf("ems=%v: %x, %v, want %x", ems, h.master, err, want)
		}
		if !bytes.Equal(secret, make([]byte, len(secret))) {
			t.Error("the premaster secret was not wiped")
		}
	}
}

// Vector G of the platform facts: what the platform's C SDK sends and computes.
func TestPlatformKeyVector(t *testing.T) {
	v := vector(t, "testdata/platform-key.txt")
	id, err := ParsePlatformIdentity(v["identity"])
	if err != nil {
		t.Fatal(err)
	}
	if want := (PlatformIdentity{v["productKey"], v["deviceName"], v["timestamp"]}); id != want {
		t.Errorf("got %+v, want %+v", id, want)
	}
	if got := id.String(); got != v["identity"] {
		t.Errorf("identity %q, want %q", got, v["identity"])
	}
	if got := string(id.Key(v["deviceSecret"])); got != v["key"] {
		t.Errorf("key %s, want %s", got, v["key"])
	}
	if len(v["key"]) != platformKeyLen {
		t.Errorf("platformKeyLen is %d", platformKeyLen)
	}
}

func TestParsePlatformIdentityRefuses(t *testing.T) {
	for _, s := range []string{
		"", "|", "|||", "devicename|hmacsha256|pk&dn", "devicename|hmacsha256|pk&dn|",
		"devicename|hmacsha256|pk&dn|1|2", "devicename|hmacsha1|pk&dn|1", "other|hmacsha256|pk&dn|1",
		"devicename|hmacsha256|pkdn|1", "devicename|hmacsha256|&dn|1", "devicename|hmacsha256|pk&|1",
		"devicename|hmacsha256|pk&dn&x|1", "DEVICENAME|hmacsha256|pk&dn|1",
	} {
		if id, err := ParsePlatformIdentity(s); err != ErrPlatformIdentity {
			t.Errorf("%q: %+v, %v", s, id, err)
		}
	}
}

func TestPlatformKeysServesADevice(t *testing.T) {
	v := vector(t, "testdata/platform-key.txt")
	asked := 0
	keys := PlatformKeys(func(_ context.Context, productKey, deviceName string) (string, bool) {
		asked++
		return v["deviceSecret"], productKey == v["productKey"] && deviceName == v["deviceName"]
	})
	client, server := connected(t, &Config{Identity: []byte(v["identity"]), PSK: []byte(v["key"])}, &Config{Key: keys})
	defer client.Close()
	if got := server.ConnectionState().Identity; got != v["identity"] {
		t.Errorf("identity %q", got)
	}
	for _, s := range []string{"nonsense", "devicename|hmacsha256|pk&dn|1"} {
		if _, ok := keys(t.Context(), []byte(s)); ok {
			t.Errorf("%q is known", s)
		}
	}
	if asked != 3 {
		t.Errorf("asked %d times; an ill-formed identity must cost the same look-up", asked)
	}
}
