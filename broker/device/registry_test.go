package device

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// contents is everything a registry holds.
type contents struct {
	Products   []Product
	Devices    []Info
	AccessKeys []AccessKey
}

func dump(r *Registry) contents {
	var c contents
	for p := range r.Products() {
		c.Products = append(c.Products, *p)
		for d := range r.Devices(p.Key, 0) {
			c.Devices = append(c.Devices, d.Info())
		}
	}
	for _, k := range r.AccessKeys() {
		c.AccessKeys = append(c.AccessKeys, *k)
	}
	return c
}

// ticking is a clock that shows another millisecond each time.
func ticking() func() time.Time {
	ms := int64(1_700_000_000_000)
	return func() time.Time { ms++; return time.UnixMilli(ms) }
}

// known are the errors that a change may be refused with.
var known = []error{ErrNoProduct, ErrNoDevice, ErrNoCategory, ErrNoAccessKey, ErrExists, ErrInvalid, ErrLimit,
	ErrDisabled, ErrRegistrationOff, ErrNotEmpty, ErrActive}

func isKnown(err error) bool {
	return err == nil || slices.ContainsFunc(known, func(k error) bool { return errors.Is(err, k) })
}

// Whatever is changed, in whatever order, with checkpoints and restarts in between: a registry that is opened
// from the log holds what the one that wrote the log holds. What the changes themselves do is for the other
// tests; here two registries are compared.
func TestReopenedRegistryIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{Now: ticking(), MaxProducts: 4, MaxDevicesPerProduct: 6, MaxCategoriesPerProduct: 8, MaxTokensPerDevice: 2}
		l := &memoryLog{keep: rapid.IntRange(0, 30).Draw(t, "keep")}
		r, err := open(l, o)
		if err != nil {
			t.Fatal(err)
		}
		pk := rapid.SampledFrom([]string{"pk1", "pk2", "pk3", "none"})
		dn := rapid.SampledFrom([]string{"dev1", "dev2", "dev3", "dev4", "dev5", "dev6", "dev7", "dev8"})
		word := rapid.StringMatching(`[a-z]{1,5}`)
		key := rapid.SampledFrom([]string{"key1", "key2"})
		must := func(err error) {
			if !isKnown(err) {
				t.Fatal(err)
			}
		}
		device := func(fn func(pk, dn string) error) func(*rapid.T) {
			return func(t *rapid.T) { must(fn(pk.Draw(t, "pk"), dn.Draw(t, "dn"))) }
		}
		t.Repeat(map[string]func(*rapid.T){
			"create product": func(t *rapid.T) {
				s := ProductSpec{Key: pk.Draw(t, "pk"), Name: word.Draw(t, "name"), DynamicRegistration: rapid.Bool().Draw(t, "dynamic"),
					NodeType: NodeType(rapid.IntRange(0, 1).Draw(t, "node")), DataFormat: DataFormat(rapid.IntRange(0, 1).Draw(t, "format")),
					AuthType: AuthType(rapid.IntRange(0, 2).Draw(t, "auth"))}
				if s.Key == "none" {
					s.Key = ""
				}
				_, err := r.CreateProduct(s)
				must(err)
			},
			"change product": func(t *rapid.T) {
				on, name, services := rapid.Bool().Draw(t, "dynamic"), word.Draw(t, "name"), rapid.SliceOfN(word, 0, 3).Draw(t, "services")
				_, err := r.ChangeProduct(pk.Draw(t, "pk"), ProductPatch{DynamicRegistration: &on, Description: &name, SyncServices: &services})
				must(err)
			},
			"set authorities": func(t *rapid.T) {
				var keys []KeyFingerprint
				for _, b := range rapid.SliceOfN(rapid.ByteRange(1, 9), 0, 3).Draw(t, "authorities") {
					keys = append(keys, KeyFingerprint{b})
				}
				_, err := r.SetAuthorities(pk.Draw(t, "pk"), keys)
				must(err)
			},
			"delete product": func(t *rapid.T) { must(r.DeleteProduct(pk.Draw(t, "pk"))) },
			"create category": func(t *rapid.T) {
				_, err := r.CreateCategory(pk.Draw(t, "pk"), word.Draw(t, "topic"), Subscribe, "")
				must(err)
			},
			"delete category": func(t *rapid.T) {
				must(r.DeleteCategory(pk.Draw(t, "pk"), rapid.Uint64Range(1, 30).Draw(t, "id")))
			},
			"create device": func(t *rapid.T) {
				_, err := r.CreateDevice(pk.Draw(t, "pk"), DeviceSpec{Name: dn.Draw(t, "dn"), Nickname: word.Draw(t, "nickname")})
				must(err)
			},
			"import": func(t *rapid.T) {
				_, err := r.Import([]Imported{{pk.Draw(t, "pk"), dn.Draw(t, "dn"), word.Draw(t, "secret"), ""}}, rapid.Bool().Draw(t, "replace"))
				must(err)
			},
			"delete device": device(func(pk, dn string) error { return r.Delete(pk, dn) }),
			"enable":        device(func(pk, dn string) error { _, err := r.Enable(pk, dn); return err }),
			"disable":       device(func(pk, dn string) error { _, err := r.Disable(pk, dn); return err }),
			"reset":         device(func(pk, dn string) error { _, err := r.Reset(pk, dn); return err }),
			"register":      device(func(pk, dn string) error { _, err := r.RegisterNew(pk, dn); return err }),
			"activate": device(func(pk, dn string) error {
				d, err := r.Device(pk, dn)
				if err != nil {
					return err
				}
				return r.Activate(&d)
			}),
			"tag": func(t *rapid.T) {
				_, err := r.SetTags(pk.Draw(t, "pk"), dn.Draw(t, "dn"), []Tag{{word.Draw(t, "key"), word.Draw(t, "value")}}, []string{word.Draw(t, "remove")})
				must(err)
			},
			"bind certificate": device(func(pk, dn string) error {
				_, err := r.BindCertificate(pk, dn, Fingerprint{rapid.ByteRange(1, 3).Draw(t, "certificate")})
				return err
			}),
			"unbind certificate": device(func(pk, dn string) error { _, err := r.UnbindCertificate(pk, dn); return err }),
			"access key":         func(t *rapid.T) { _, err := r.CreateAccessKey(key.Draw(t, "id"), "", "note"); must(err) },
			"enable access key":  func(t *rapid.T) { must(r.EnableAccessKey(key.Draw(t, "id"), rapid.Bool().Draw(t, "on"))) },
			"delete access key":  func(t *rapid.T) { must(r.DeleteAccessKey(key.Draw(t, "id"))) },
			"checkpoint":         func(t *rapid.T) { must(r.Checkpoint()) },
			"reopen": func(t *rapid.T) {
				next := r.nextID
				if r, err = open(l.reopened(len(l.entries)), o); err != nil {
					t.Fatal(err)
				}
				if r.nextID != next {
					t.Fatalf("next category %d, was %d", r.nextID, next)
				}
				l = r.log.(*memoryLog)
			},
			"": func(t *rapid.T) {
				other, err := open(l.reopened(len(l.entries)), o)
				if err != nil {
					t.Fatal(err)
				}
				checkCertificates(t, r)
				checkCertificates(t, other)
				if diff := cmp.Diff(dump(r), dump(other)); diff != "" {
					t.Fatalf("reopened:\n%s", diff)
				}
				if other.live != r.live {
					t.Fatalf("%d entries needed, reopened %d", r.live, other.live)
				}
			},
		})
	})
}

func TestLifeOfADevice(t *testing.T) {
	r := New(Options{Now: ticking()})
	p, err := r.CreateProduct(ProductSpec{Name: "lamp"})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Key) != 11 || len(p.Secret) != 16 || len(p.Categories) != 6 || p.Categories[3].Topic(p.Key) != "/"+p.Key+"/${deviceName}/user/update" {
		t.Errorf("%+v", p)
	}
	d, err := r.CreateDevice(p.Key, DeviceSpec{Name: "dev1", Nickname: "kitchen"})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Secret()) != 32 || d.Status() != Unactivated || !d.Activated().IsZero() || d.Info().Nickname != "kitchen" {
		t.Errorf("%+v", d.Info())
	}
	secret := string(d.Secret())
	step := func(what string, err error, status Status) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if d, err = r.Lookup([]byte(p.Key), []byte("dev1")); err != nil || d.Status() != status || string(d.Secret()) != secret {
			t.Fatalf("after %s: %s, want %s, %v", what, d.Status(), status, err)
		}
	}
	change := func(fn func(pk, dn string) (Device, error)) error { _, err := fn(p.Key, "dev1"); return err }
	step("disable before the first login", change(r.Disable), Disabled)
	step("enable", change(r.Enable), Unactivated)
	step("login", r.Activate(&d), Enabled)
	first := d.Activated()
	step("second login", r.Activate(&d), Enabled)
	if !d.Activated().Equal(first) || first.IsZero() {
		t.Errorf("activated at %v, then %v", first, d.Activated())
	}
	step("disable", change(r.Disable), Disabled)
	step("reset while disabled", change(r.Reset), Disabled)
	step("enable after reset", change(r.Enable), Unactivated)
	id := d.IotID()
	if found, err := r.ByIotID(id); err != nil || string(found.Name()) != "dev1" {
		t.Errorf("by %s: %v", id, err)
	}
	if err := r.DeleteProduct(p.Key); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("deleting a product with a device: %v", err)
	}
	if err := r.Delete(p.Key, "dev1"); err != nil {
		t.Error(err)
	}
	if _, err := r.Device(p.Key, "dev1"); !errors.Is(err, ErrNoDevice) {
		t.Errorf("deleted device: %v", err)
	}
	if _, err := r.ByIotID(id); !errors.Is(err, ErrNoDevice) {
		t.Errorf("deleted device by %s: %v", id, err)
	}
	if string(d.Name()) != "dev1" || string(d.Secret()) != secret {
		t.Error("a view of a deleted device changed")
	}
	again, err := r.CreateDevice(p.Key, DeviceSpec{Name: "dev1"})
	if err != nil || again.IotID() == id || again.Number() == d.Number() {
		t.Errorf("made again: %s, was %s: %v", again.IotID(), id, err)
	}
	if err := r.Delete(p.Key, "dev1"); err != nil {
		t.Error(err)
	}
	if err := r.DeleteProduct(p.Key); err != nil {
		t.Error(err)
	}
	if _, err := r.Device(p.Key, "dev1"); !errors.Is(err, ErrNoProduct) {
		t.Errorf("device of a deleted product: %v", err)
	}
}

func TestIotIDsThatAreNone(t *testing.T) {
	r := New(Options{})
	p, _ := r.CreateProduct(ProductSpec{Key: "pk"})
	d, err := r.CreateDevice(p.Key, DeviceSpec{Name: "dev1"})
	if err != nil {
		t.Fatal(err)
	}
	id := d.IotID()
	for i := range id {
		wrong := []byte(id)
		wrong[i] = '~'
		if _, err := r.ByIotID(string(wrong)); !errors.Is(err, ErrNoDevice) {
			t.Errorf("%s: %v", wrong, err)
		}
		if _, err := r.ByIotID(id[:i]); !errors.Is(err, ErrNoDevice) {
			t.Errorf("%s: %v", id[:i], err)
		}
	}
}

func TestRefusals(t *testing.T) {
	r := New(Options{MaxProducts: 1, MaxDevicesPerProduct: 2, MaxCategoriesPerProduct: 7})
	if _, err := r.CreateProduct(ProductSpec{Key: "pk"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateDevice("pk", DeviceSpec{Name: "dev1"}); err != nil {
		t.Fatal(err)
	}
	device := func(productKey string, specs ...DeviceSpec) error {
		_, err := r.CreateDevices(productKey, specs)
		return err
	}
	product := func(s ProductSpec) error { _, err := r.CreateProduct(s); return err }
	category := func(topic string, o Operation) error { _, err := r.CreateCategory("pk", topic, o, ""); return err }
	other := func(_ Device, err error) error { return err }
	services := func(list ...string) error {
		_, err := r.ChangeProduct("pk", ProductPatch{SyncServices: &list})
		return err
	}
	for _, c := range []struct {
		what string
		err  error
		want error
	}{
		{"product that is there", product(ProductSpec{Key: "pk"}), ErrExists},
		{"one product too many", product(ProductSpec{}), ErrLimit},
		{"product with a bad key", product(ProductSpec{Key: "sys"}), ErrInvalid},
		{"product with a bad secret", product(ProductSpec{Key: "pk2", Secret: "a b"}), ErrInvalid},
		{"product with a bad name", product(ProductSpec{Key: "pk2", Name: "a\x00"}), ErrInvalid},
		{"product of an unknown kind", product(ProductSpec{Key: "pk2", NodeType: 7}), ErrInvalid},
		{"product with a category twice", product(ProductSpec{Key: "pk2", Categories: []Category{{Suffix: "a", Operation: 1}, {Suffix: "a", Operation: 2}}}), ErrExists},
		{"product with a bad category", product(ProductSpec{Key: "pk2", Categories: []Category{{Suffix: "#", Operation: Publish}}}), ErrInvalid},
		{"product with a service that could not be a level of a topic", product(ProductSpec{Key: "pk2", SyncServices: []string{"a/b"}}), ErrInvalid},
		{"product with a service twice", product(ProductSpec{Key: "pk2", SyncServices: []string{"a", "a"}}), ErrExists},
		{"product with too many services", product(ProductSpec{Key: "pk2", SyncServices: make([]string, mostServices+1)}), ErrLimit},
		{"changing a product to a service without a name", services("a", ""), ErrInvalid},
		{"device of no product", device("pk2", DeviceSpec{}), ErrNoProduct},
		{"device that is there", device("pk", DeviceSpec{Name: "dev1"}), ErrExists},
		{"device with a short name", device("pk", DeviceSpec{Name: "dev"}), ErrInvalid},
		{"device with a bad secret", device("pk", DeviceSpec{Name: "dev2", Secret: "\n"}), ErrInvalid},
		{"device with a bad nickname", device("pk", DeviceSpec{Name: "dev2", Nickname: "\n"}), ErrInvalid},
		{"devices, one too many", device("pk", DeviceSpec{}, DeviceSpec{}), ErrLimit},
		{"enabling no device", other(r.Enable("pk", "dev2")), ErrNoDevice},
		{"enabling a device of no product", other(r.Enable("pk2", "dev1")), ErrNoProduct},
		{"deleting no device", r.Delete("pk", "dev2"), ErrNoDevice},
		{"deleting a device of no product", r.Delete("pk2", "dev2"), ErrNoProduct},
		{"deleting no product", r.DeleteProduct("pk2"), ErrNoProduct},
		{"tag without a key", other(r.SetTags("pk", "dev1", []Tag{{}}, nil)), ErrInvalid},
		{"tag with a bad value", other(r.SetTags("pk", "dev1", []Tag{{"k", "\xff"}}, nil)), ErrInvalid},
		{"tags of no device", other(r.SetTags("pk", "dev2", []Tag{{"k", "v"}}, nil)), ErrNoDevice},
		// They are not looked at, nor is the device.
		{"more tags at once than a device may have", other(r.SetTags("pk", "dev1", make([]Tag, mostTags+1), nil)), ErrLimit},
		{"more tags at once, of no device", other(r.SetTags("pk2", "dev2", make([]Tag, mostTags+1), nil)), ErrLimit},
		{"more tags to remove than a device may have", other(r.SetTags("pk", "dev1", nil, make([]string, mostTags+1))), ErrLimit},
		{"category that is there", category("update", Publish), ErrExists},
		{"category that is there, as a whole topic", category("/pk/${deviceName}/update", Publish), ErrExists},
		{"category of another product", category("/pk2/${deviceName}/update2", Publish), ErrInvalid},
		{"category that is none", category("a//b", Publish), ErrInvalid},
		{"seventh category", category("seventh", Publish), nil},
		{"eighth category", category("eighth", Publish), ErrLimit},
		{"changing no category", r.ChangeCategory("pk", 99, "x", Publish, ""), ErrNoCategory},
		{"changing a category to one that is there", r.ChangeCategory("pk", 2, "get", Publish, ""), ErrExists},
		{"changing a category", r.ChangeCategory("pk", 2, "user/+", Subscribe, "note"), nil},
		{"deleting no category", r.DeleteCategory("pk", 99), ErrNoCategory},
		{"register with dynamic registration off", other(r.Register([]byte("pk"), []byte("dev1"))), ErrRegistrationOff},
		{"register of no device", other(r.Register([]byte("pk"), []byte("dev2"))), ErrNoDevice},
	} {
		if !errors.Is(c.err, c.want) || (c.err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.what, c.err, c.want)
		}
	}
	if n := r.DeviceCount("pk"); n != 1 {
		t.Errorf("%d devices: a refused change left something", n)
	}
	p, _ := r.Product("pk")
	if c := p.Categories[0]; c.ID != 2 || c.Suffix != "user/+" || c.Operation != Subscribe {
		t.Errorf("changed category: %+v", c)
	}
	if owner, c, err := r.CategoryByID(2); err != nil || owner != p || c.Suffix != "user/+" {
		t.Errorf("category 2: %+v %v", c, err)
	}
	if _, _, err := r.CategoryByID(99); !errors.Is(err, ErrNoCategory) {
		t.Error(err)
	}
}

func TestDynamicRegistration(t *testing.T) {
	r := New(Options{MaxTokensPerDevice: 2, MaxDevicesPerProduct: 2})
	if _, err := r.CreateProduct(ProductSpec{Key: "pk"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateDevice("pk", DeviceSpec{Name: "dev1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.RegisterNew("pk", "dev1"); !errors.Is(err, ErrRegistrationOff) {
		t.Errorf("switch off: %v", err)
	}
	on := true
	if _, err := r.ChangeProduct("pk", ProductPatch{DynamicRegistration: &on}); err != nil {
		t.Fatal(err)
	}
	d, err := r.Register([]byte("pk"), []byte("dev1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = r.Register([]byte("pk"), []byte("dev1")); err != nil {
		t.Errorf("a second time before the first login: %v", err)
	}
	if err := r.Activate(&d); err != nil {
		t.Fatal(err)
	}
	if _, err = r.Register([]byte("pk"), []byte("dev1")); !errors.Is(err, ErrActive) {
		t.Errorf("after the first login: %v", err)
	}
	if _, err := r.Reset("pk", "dev1"); err != nil {
		t.Fatal(err)
	}
	again, err := r.Register([]byte("pk"), []byte("dev1"))
	if err != nil || string(again.Secret()) != string(d.Secret()) {
		t.Errorf("after a reset: %v", err)
	}

	// Not registered before: the device is made, each physical device has its own token.
	first, err := r.RegisterNew("pk", "new-device")
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.RegisterNew("pk", "new-device")
	if err != nil || first == second {
		t.Errorf("second token: %+v, first %+v: %v", second, first, err)
	}
	if _, err = r.RegisterNew("pk", "new-device"); !errors.Is(err, ErrLimit) {
		t.Errorf("third token: %v", err)
	}
	if d, err = r.Device("pk", "new-device"); err != nil || d.Status() != Unactivated {
		t.Fatalf("%v %s", err, d.Status())
	}
	for _, token := range []Token{first, second} {
		if got := string(d.Token([]byte(token.ClientID))); got != token.Token {
			t.Errorf("token of %s: %q", token.ClientID, got)
		}
	}
	if d.Token([]byte("nobody")) != nil || d.Token(nil) != nil {
		t.Error("a token for nobody")
	}
	for _, c := range []struct {
		pk, dn string
		want   error
	}{{"pk2", "dev1", ErrNoProduct}, {"pk", "x y z", ErrInvalid}, {"pk", "a-third-device", ErrLimit}} {
		if _, err := r.RegisterNew(c.pk, c.dn); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := r.Disable("pk", "new-device"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.RegisterNew("pk", "new-device"); !errors.Is(err, ErrDisabled) {
		t.Errorf("disabled: %v", err)
	}
	if _, err := r.Disable("pk", "dev1"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Register([]byte("pk"), []byte("dev1")); !errors.Is(err, ErrDisabled) {
		t.Errorf("disabled: %v", err)
	}
}

func TestTagsAndNickname(t *testing.T) {
	r := New(Options{})
	r.CreateProduct(ProductSpec{Key: "pk"})
	r.CreateDevice("pk", DeviceSpec{Name: "dev1"})
	if _, err := r.SetTags("pk", "dev1", []Tag{{"b", "1"}, {"a", "2"}, {"c", ""}}, nil); err != nil {
		t.Fatal(err)
	}
	d, err := r.SetTags("pk", "dev1", []Tag{{"b", "3"}}, []string{"c", "x"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Tag{{"a", "2"}, {"b", "3"}}, d.Info().Tags); diff != "" {
		t.Error(diff)
	}
	if d, err = r.SetNickname("pk", "dev1", "厨房"); err != nil || d.Info().Nickname != "厨房" {
		t.Errorf("%+v %v", d.Info(), err)
	}
	var many []Tag
	for i := range mostTags - 2 {
		many = append(many, Tag{fmt.Sprintf("k%d", i), "v"})
	}
	if _, err := r.SetTags("pk", "dev1", many, nil); err != nil {
		t.Errorf("%d tags: %v", mostTags, err)
	}
	if _, err := r.SetTags("pk", "dev1", []Tag{{"z", "v"}}, nil); !errors.Is(err, ErrLimit) {
		t.Errorf("one tag too many: %v", err)
	}
	tags := func() []Tag {
		d, err := r.Device("pk", "dev1")
		if err != nil {
			t.Fatal(err)
		}
		return d.Info().Tags
	}
	// All of them are exchanged at once; of a key that comes twice the last value counts.
	var set []Tag
	var remove []string
	for i, old := range tags() {
		set = append(set, Tag{fmt.Sprintf("n%d", i/2), strconv.Itoa(i)})
		remove = append(remove, old.Key)
	}
	if _, err := r.SetTags("pk", "dev1", set, remove); err != nil || len(set) != mostTags {
		t.Errorf("%d tags for %d others: %v", len(set), len(remove), err)
	}
	if now := tags(); len(now) != mostTags/2 || now[0] != (Tag{"n0", "1"}) {
		t.Errorf("%d tags, the first %v", len(now), now[0])
	}
}

func TestAccessKeys(t *testing.T) {
	r := New(Options{Now: ticking()})
	k, err := r.CreateAccessKey("", "", "the app")
	if err != nil || len(k.ID) != accessKeyLength || len(k.Secret) != accessSecretLength {
		t.Fatalf("%+v %v", k, err)
	}
	if _, err := r.CreateAccessKey("testid", "testsecret", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateAccessKey("testid", "", ""); !errors.Is(err, ErrExists) {
		t.Error(err)
	}
	if _, err := r.CreateAccessKey("a b", "", ""); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if list := r.AccessKeys(); len(list) != 2 || list[0].ID != k.ID || list[1].Secret != "testsecret" {
		t.Errorf("%+v", list)
	}
	if err := r.EnableAccessKey(k.ID, false); err != nil {
		t.Error(err)
	}
	if k, err := r.AccessKey(k.ID); err != nil || !k.Disabled {
		t.Errorf("%+v %v", k, err)
	}
	if err := r.DeleteAccessKey(k.ID); err != nil {
		t.Error(err)
	}
	for _, err := range []error{r.DeleteAccessKey(k.ID), r.EnableAccessKey(k.ID, true)} {
		if !errors.Is(err, ErrNoAccessKey) {
			t.Error(err)
		}
	}
	if _, err := r.AccessKey(k.ID); !errors.Is(err, ErrNoAccessKey) {
		t.Error(err)
	}
}

// Pages of devices: in the order in which they were made, none lost or doubled when others come and go.
func TestDevicesInPages(t *testing.T) {
	r := New(Options{})
	r.CreateProduct(ProductSpec{Key: "pk"})
	for i := range 25 {
		r.CreateDevice("pk", DeviceSpec{Name: fmt.Sprintf("dev-%02d", i)})
	}
	var got []string
	for from, page := uint32(0), 0; ; page++ {
		n := 0
		for d := range r.Devices("pk", from) {
			got = append(got, string(d.Name()))
			from = d.Number() + 1
			if n++; n == 10 {
				break
			}
		}
		if n == 0 {
			break
		}
		if page == 0 {
			r.Delete("pk", "dev-03")
			r.Delete("pk", "dev-12")
			r.CreateDevice("pk", DeviceSpec{Name: "dev-25"})
		}
	}
	var want []string
	for i := range 26 {
		if i != 12 {
			want = append(want, fmt.Sprintf("dev-%02d", i))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := len(slices.Collect(r.Devices("none", 0))); n != 0 {
		t.Errorf("%d devices of no product", n)
	}
}

func TestWatch(t *testing.T) {
	r := New(Options{})
	var got []string
	cancel := r.Watch(func(c Change) {
		s := c.Kind.String()
		if c.Product != nil {
			s += " " + c.Product.Key
		}
		if c.Device != nil {
			// The change is visible already.
			if d, err := r.Lookup([]byte(c.Product.Key), c.Device.Name()); (err == nil) == (c.Kind == DeviceDeleted) || err == nil && d.Status() != c.Device.Status() {
				t.Errorf("%s: %v", s, err)
			}
			s += "/" + string(c.Device.Name()) + " " + c.Device.Status().String()
		}
		got = append(got, s+c.AccessKey)
	})
	second := 0
	cancelSecond := r.Watch(func(Change) { second++ })
	r.CreateProduct(ProductSpec{Key: "pk"})
	r.CreateDevices("pk", []DeviceSpec{{Name: "dev1"}, {Name: "dev2"}})
	cancelSecond()
	r.Import([]Imported{{"pk", "dev3", "s", ""}, {"pk", "dev3", "s", ""}, {"pk", "dev3", "t", "u"}}, true)
	r.Disable("pk", "dev1")
	r.Disable("pk", "dev1") // already: nothing happens
	r.Enable("pk", "dev1")
	d, _ := r.Device("pk", "dev1")
	r.Activate(&d)
	r.Reset("pk", "dev1")
	r.SetNickname("pk", "dev2", "n")
	r.CreateCategory("pk", "x", Publish, "")
	r.CreateAccessKey("id", "", "")
	r.Delete("pk", "dev1")
	r.Delete("pk", "dev2")
	r.Delete("pk", "dev3")
	r.DeleteProduct("pk")
	cancel()
	r.CreateProduct(ProductSpec{Key: "pk"})
	want := []string{
		"product-created pk", "device-created pk/dev1 unactivated", "device-created pk/dev2 unactivated",
		"device-created pk/dev3 unactivated", "product-changed pk", "device-changed pk/dev3 unactivated",
		"device-disabled pk/dev1 disabled", "device-enabled pk/dev1 unactivated", "device-activated pk/dev1 enabled",
		"device-reset pk/dev1 unactivated", "device-changed pk/dev2 unactivated", "product-changed pk",
		"access-key-changedid", "device-deleted pk/dev1 unactivated", "device-deleted pk/dev2 unactivated",
		"device-deleted pk/dev3 unactivated", "product-deleted pk",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if second != 3 {
		t.Errorf("the second watcher saw %d changes", second)
	}
}

func TestImport(t *testing.T) {
	r := New(Options{MaxProducts: 2, MaxDevicesPerProduct: 3})
	batch := []Imported{
		{"pk1", "dev1", "s1", "ps1"}, {"pk1", "dev1", "s1", ""}, {"pk1", "dev1", "s2", ""}, {"pk1", "dev2", "s1", "ps2"},
		{"pk1", "b/d", "s1", ""}, {"pk1", "dev3", "", ""}, {"sys", "dev1", "s", ""}, {"", "dev1", "s", ""},
		{"pk2", "设备", "s", ""}, {"pk3", "dev1", "s", ""},
	}
	outcomes := func(replace bool) (got []string) {
		results, err := r.Import(batch, replace)
		if err != nil {
			t.Fatal(err)
		}
		for _, result := range results {
			name := map[Outcome]string{ImportFailed: "failed", ImportAdded: "added", ImportUnchanged: "unchanged", ImportReplaced: "replaced"}[result.Outcome]
			for text, kind := range map[string]error{"invalid": ErrInvalid, "exists": ErrExists, "limit": ErrLimit} {
				if errors.Is(result.Err, kind) {
					name += " " + text
				}
			}
			if (result.Err != nil) != (result.Outcome == ImportFailed) {
				t.Errorf("%s with error %v", name, result.Err)
			}
			got = append(got, name)
		}
		return got
	}
	want := []string{"added", "unchanged", "failed exists", "failed exists", "failed invalid", "failed invalid",
		"failed invalid", "failed invalid", "added", "failed limit"}
	if diff := cmp.Diff(want, outcomes(false)); diff != "" {
		t.Error(diff)
	}
	want = []string{"unchanged", "unchanged", "replaced", "added", "failed invalid", "failed invalid",
		"failed invalid", "failed invalid", "unchanged", "failed limit"}
	if diff := cmp.Diff(want, outcomes(true)); diff != "" {
		t.Error(diff)
	}
	p, _ := r.Product("pk1")
	d, _ := r.Device("pk1", "dev1")
	if p.Secret != "ps2" || string(d.Secret()) != "s2" {
		t.Errorf("%q %q", p.Secret, d.Secret())
	}
}
