package credential

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

var standard = [methods]func() hash.Hash{HMACMD5: md5.New, HMACSHA1: sha1.New, HMACSHA256: sha256.New}

func standardMAC(m Method, key, text []byte) []byte {
	h := hmac.New(standard[m], key)
	h.Write(text)
	return h.Sum(nil)
}

// The pooled state gives what crypto/hmac gives, one use after another.
func TestMACIsThatOfTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.SampledFrom([]Method{HMACMD5, HMACSHA1, HMACSHA256}).Draw(t, "method")
		key := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "key")
		text := rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "text")
		want := standardMAC(m, key, text)
		if got := m.Append([]byte("x"), key, text); !bytes.Equal(got, append([]byte("x"), want...)) {
			t.Fatalf("%s: %x, want %x", m, got[1:], want)
		}
		if len(want) != m.Size() {
			t.Fatalf("%s: %d bytes, Size %d", m, len(want), m.Size())
		}
		sign := hex.EncodeToString(want)
		if got := m.AppendHex(nil, key, text); string(got) != sign {
			t.Fatalf("%s: %s, want %s", m, got, sign)
		}
		if !m.Matches([]byte(sign), key, text) || !m.Matches([]byte(strings.ToUpper(sign)), key, text) {
			t.Fatalf("%s: own signature refused", m)
		}
		i := rapid.IntRange(0, len(sign)-1).Draw(t, "digit")
		wrong := []byte(sign)
		wrong[i] = rapid.SampledFrom([]byte("0123456789abcdefgG/:@`\x00\xff")).Draw(t, "wrong")
		if m.Matches(wrong, key, text) != (wrong[i] == sign[i]) {
			t.Fatalf("%s: %s accepted for %s", m, wrong, sign)
		}
		if n := rapid.IntRange(0, len(sign)-1).Draw(t, "length"); m.Matches([]byte(sign[:n]), key, text) {
			t.Fatalf("%s: %s accepted for %s", m, sign[:n], sign)
		}
		if m.Matches([]byte(sign+"00"), key, text) || m.Matches([]byte(sign+sign+sign+sign+sign), key, text) {
			t.Fatalf("%s: a longer signature accepted", m)
		}
	})
}

func TestSignersAreSharedSafely(t *testing.T) {
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			key, text := []byte{byte(i)}, bytes.Repeat([]byte{byte(i)}, 100*i)
			for n := range 200 {
				m := Method(n % methods)
				if got, want := m.Append(nil, key, text), standardMAC(m, key, text); !bytes.Equal(got, want) {
					t.Errorf("%s: %x, want %x", m, got, want)
					return
				}
			}
		})
	}
	all.Wait()
}

// A signer that goes back to its pool keeps neither the key nor a long text.
func TestPooledSignerKeepsNoSecret(t *testing.T) {
	s := HMACSHA256.signer()
	s.mac([]byte("the secret"), []byte("text"))
	if s.pad != [blockSize]byte{} {
		t.Errorf("pad still holds %x", s.pad)
	}
	s.text = make([]byte, 0, 10*longText)
	HMACSHA256.release(s)
	if s.text != nil {
		t.Errorf("%d bytes of text kept", cap(s.text))
	}
}

func TestMethodNames(t *testing.T) {
	for name, want := range map[string]Method{
		"hmacmd5": HMACMD5, "HMACMD5": HMACMD5, "HmacMD5": HMACMD5, "hmacSha1": HMACSHA1, "hmacSHA256": HMACSHA256,
	} {
		if m, ok := ParseMethod(name); !ok || m != want {
			t.Errorf("%s: %v, %v", name, m, ok)
		}
	}
	for _, name := range []string{"", "sha256", "Sha256", "hmac", "hmacmd55", "hmacsha512", "hmac\x4dd\x15"} {
		if m, ok := ParseMethod([]byte(name)); ok {
			t.Errorf("%q: is %v", name, m)
		}
	}
	if Method(methods).String() != "unknown" {
		t.Error(Method(methods).String())
	}
}
