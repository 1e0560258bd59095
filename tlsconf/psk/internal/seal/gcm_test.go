package seal

import (
	"bytes"
	"errors"
	"testing"
)

func gcmPair(t testing.TB) (sealer, opener *gcm) {
	t.Helper()
	key, salt := bytes.Repeat([]byte{7}, 16), []byte{1, 2, 3, 4}
	s, err := NewGCMSealer(key, salt)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := NewGCMOpener(key, salt)
	return s.(*gcm), r.(*gcm)
}

func TestGCMRoundTrip(t *testing.T) {
	s, r := gcmPair(t)
	for _, n := range []int{0, 1, 15, 16, 17, 1000, MaxPlaintext} {
		content := bytes.Repeat([]byte{'c'}, n)
		fragment, err := s.Seal(nil, typeData, content)
		if err != nil || len(fragment) > n+MaxOverhead {
			t.Fatalf("%d bytes became %d, %v", n, len(fragment), err)
		}
		got, err := r.Open(typeData, fragment)
		if err != nil || !bytes.Equal(got, content) {
			t.Fatalf("length %d: %v", n, err)
		}
	}
}

func TestGCMRefusesEveryFlippedBitCutAndReplay(t *testing.T) {
	s, r := gcmPair(t)
	fragment, _ := s.Seal(nil, typeData, []byte("some content"))
	try := func(what string, typ byte, f []byte) {
		t.Helper()
		r.seq = 0
		if _, err := r.Open(typ, f); !errors.Is(err, ErrBadRecord) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	for bit := range 8 * len(fragment) {
		f := bytes.Clone(fragment)
		f[bit/8] ^= 1 << (bit % 8)
		try("flipped bit", typeData, f)
	}
	for n := range len(fragment) {
		try("cut", typeData, bytes.Clone(fragment[:n]))
	}
	try("other type", 22, bytes.Clone(fragment))
	r.seq = 0
	if _, err := r.Open(typeData, bytes.Clone(fragment)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Open(typeData, bytes.Clone(fragment)); !errors.Is(err, ErrBadRecord) {
		t.Errorf("replayed record: got %v", err)
	}
}

func TestNewRefusesKeysOfWrongLength(t *testing.T) {
	if _, err := NewGCMSealer(make([]byte, 5), nil); err == nil {
		t.Error("GCM took a key of 5 bytes")
	}
	o := CBCOptions{Key: make([]byte, 5), MAC: macs[0].mac}
	if _, err := NewCBCSealer(o); err == nil {
		t.Error("the CBC sealer took a key of 5 bytes")
	}
	if _, err := NewCBCOpener(o); err == nil {
		t.Error("the CBC opener took a key of 5 bytes")
	}
}
