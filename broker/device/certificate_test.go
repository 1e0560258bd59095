package device

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// checkCertificates compares what ByCertificate finds with what the devices themselves say.
func checkCertificates(t *rapid.T, r *Registry) {
	bound := map[Fingerprint]string{}
	for p := range r.Products() {
		for d := range r.Devices(p.Key, 0) {
			if f, ok := d.Certificate(); ok {
				if other, twice := bound[f]; twice {
					t.Fatalf("one certificate is bound to %s and %s/%s", other, p.Key, d.Name())
				}
				bound[f] = p.Key + "/" + string(d.Name())
			}
		}
	}
	for b := byte(1); b <= 3; b++ {
		f := Fingerprint{b}
		d, err := r.ByCertificate(f)
		switch want := bound[f]; {
		case want == "" && !errors.Is(err, ErrNoDevice):
			t.Fatalf("certificate %d is bound to nobody, and found: %v", b, err)
		case want != "" && (err != nil || d.Product().Key+"/"+string(d.Name()) != want):
			t.Fatalf("certificate %d is bound to %s; found %v, %v", b, want, d, err)
		}
	}
}

func TestACertificateIsBoundToOneDevice(t *testing.T) {
	r := New(Options{})
	var changes []ChangeKind
	r.Watch(func(c Change) { changes = append(changes, c.Kind) })
	if _, err := r.CreateProduct(ProductSpec{Key: "pk", AuthType: ByCertificate}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateDevices("pk", []DeviceSpec{{Name: "dev1"}, {Name: "dev2"}}); err != nil {
		t.Fatal(err)
	}
	one, two := Fingerprint{1}, Fingerprint{2}
	bind := func(dn string, f Fingerprint, want error) {
		t.Helper()
		if _, err := r.BindCertificate("pk", dn, f); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", dn, err, want)
		}
	}
	find := func(f Fingerprint, want string) {
		t.Helper()
		d, err := r.ByCertificate(f)
		if want == "" {
			if !errors.Is(err, ErrNoDevice) {
				t.Errorf("found %v", err)
			}
		} else if err != nil || string(d.Name()) != want {
			t.Errorf("%s, want %s: %v", d.Name(), want, err)
		}
	}
	bind("dev1", one, nil)
	bind("dev1", one, nil) // once more is no change
	bind("dev2", one, ErrExists)
	bind("dev3", one, ErrNoDevice)
	find(one, "dev1")
	find(two, "")
	bind("dev1", two, nil) // a new one takes its place
	find(one, "")
	find(two, "dev1")
	bind("dev2", one, nil)
	if _, err := r.UnbindCertificate("pk", "dev1"); err != nil {
		t.Error(err)
	}
	find(two, "")
	if err := r.Delete("pk", "dev2"); err != nil {
		t.Error(err)
	}
	find(one, "")
	bound := 0
	for _, k := range changes {
		if k == DeviceCertificate {
			bound++
		}
	}
	if bound != 4 {
		t.Errorf("%d changes of certificates in %v, want 4", bound, changes)
	}
}
