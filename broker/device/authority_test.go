package device

import (
	"errors"
	"slices"
	"testing"
)

func TestAuthoritiesOfAProduct(t *testing.T) {
	r := New(Options{})
	var changes []ChangeKind
	r.Watch(func(c Change) { changes = append(changes, c.Kind) })
	one, two := KeyFingerprint{1}, KeyFingerprint{2}
	many := make([]KeyFingerprint, maxAuthorities+1)
	for i := range many {
		many[i] = KeyFingerprint{byte(i)}
	}
	for _, c := range []struct {
		spec ProductSpec
		want error
	}{
		{ProductSpec{Key: "any", AuthType: ByCertificate}, nil},
		{ProductSpec{Key: "one", AuthType: ByCertificate, Authorities: []KeyFingerprint{one}}, nil},
		{ProductSpec{Key: "full", AuthType: ByCertificate, Authorities: many[1:]}, nil},
		{ProductSpec{Key: "many", AuthType: ByCertificate, Authorities: many}, ErrLimit},
		{ProductSpec{Key: "twice", AuthType: ByCertificate, Authorities: []KeyFingerprint{one, two, one}}, ErrInvalid},
		{ProductSpec{Key: "secrets", Authorities: []KeyFingerprint{one}}, ErrInvalid},
		{ProductSpec{Key: "chips", AuthType: ByChip, Authorities: []KeyFingerprint{one}}, ErrInvalid},
		{ProductSpec{Key: "none"}, nil},
	} {
		if _, err := r.CreateProduct(c.spec); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.spec.Key, err, c.want)
		}
	}
	trusts := func(product string, key KeyFingerprint, want bool) {
		t.Helper()
		p, err := r.Product(product)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Trusts([]KeyFingerprint{{9}, key}); got != want {
			t.Errorf("%s trusts %x: %v, want %v", product, key[:1], got, want)
		}
		if p.Trusts(nil) != (len(p.Authorities) == 0) {
			t.Errorf("%s trusts somebody whom nobody vouches for", product)
		}
	}
	trusts("any", two, true)
	trusts("one", one, true)
	trusts("one", two, false)

	changes = nil
	keys := []KeyFingerprint{two}
	if _, err := r.SetAuthorities("one", keys); err != nil {
		t.Error(err)
	}
	keys[0] = one // the list is the caller's
	trusts("one", one, false)
	trusts("one", two, true)
	if _, err := r.SetAuthorities("one", nil); err != nil {
		t.Error(err)
	}
	trusts("one", one, true)
	if want := []ChangeKind{ProductChanged, ProductAuthorities, ProductChanged, ProductAuthorities}; !slices.Equal(changes, want) {
		t.Errorf("changes %v, want %v", changes, want)
	}
	for _, c := range []struct {
		product string
		keys    []KeyFingerprint
		want    error
	}{{"gone", nil, ErrNoProduct}, {"none", keys, ErrInvalid}, {"none", nil, nil}, {"any", many, ErrLimit}} {
		if _, err := r.SetAuthorities(c.product, c.keys); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.product, err, c.want)
		}
	}
	trusts("any", two, true) // what was refused has changed nothing
}
