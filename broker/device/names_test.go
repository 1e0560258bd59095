package device

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// load reads a file of testdata.
func load(t testing.TB, name string, into any) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func TestNames(t *testing.T) {
	var file map[string]struct{ Good, Bad []string }
	load(t, "names.json", &file)
	rules := map[string]func(string) error{
		"deviceName":   checkNewName,
		"importedName": checkImportedName,
		"productKey":   checkProductKey,
		"secret":       func(s string) error { return checkSecret("secret", s) },
	}
	for rule, check := range rules {
		if len(file[rule].Good) == 0 || len(file[rule].Bad) == 0 {
			t.Fatalf("no examples for %s", rule)
		}
		for _, name := range file[rule].Good {
			if err := check(name); err != nil {
				t.Errorf("%s %q: %v", rule, name, err)
			}
		}
		for _, name := range file[rule].Bad {
			if err := check(name); !errors.Is(err, ErrInvalid) {
				t.Errorf("%s %q: %v", rule, name, err)
			}
		}
	}
	if err := checkSecret("secret", strings.Repeat("s", longestSecret)); err != nil {
		t.Error(err)
	}
	for _, secret := range []string{strings.Repeat("s", longestSecret+1), "very secret\x00"} {
		if err := checkSecret("secret", secret); err == nil || strings.Contains(err.Error(), secret[:5]) {
			t.Errorf("secret %q: %v", secret, err)
		}
	}
	if err := checkImportedName("a\xff"); !errors.Is(err, ErrInvalid) {
		t.Errorf("a name that is not UTF-8: %v", err)
	}
}

func TestCategories(t *testing.T) {
	type example struct{ Suffix, Operation, Says string }
	var file struct{ Good, Bad []example }
	load(t, "categories.json", &file)
	if len(file.Good) == 0 || len(file.Bad) == 0 {
		t.Fatal("no examples")
	}
	for _, e := range file.Good {
		o, ok := ParseOperation(e.Operation)
		if err := checkCategory("a1B2c3D4e5f", e.Suffix, o); err != nil || !ok || o.String() != e.Operation {
			t.Errorf("%+v: %v", e, err)
		}
	}
	for _, e := range file.Bad {
		o, _ := ParseOperation(e.Operation)
		if err := checkCategory("a1B2c3D4e5f", e.Suffix, o); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), e.Says) {
			t.Errorf("%+v: %v", e, err)
		}
	}
}

// What is generated has the platform's shape, follows the rules and uses the whole alphabet.
func TestGenerate(t *testing.T) {
	seen := map[byte]int{}
	for range 1000 {
		for _, n := range []int{productKeyLength, productSecretLength, deviceNameLength, deviceSecretLength, tokenLength} {
			s := generate(n)
			if len(s) != n {
				t.Fatalf("%q has %d characters, not %d", s, len(s), n)
			}
			for _, c := range []byte(s) {
				seen[c]++
			}
		}
		if err := checkProductKey(generate(productKeyLength)); err != nil {
			t.Fatal(err)
		}
		if err := checkNewName(generate(deviceNameLength)); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != len(alphabet) {
		t.Errorf("%d different characters", len(seen))
	}
	for c, n := range seen {
		if !alphanumeric(c) || n < 1400 || n > 2200 { // 111,000 characters, 1,790 of each
			t.Errorf("%q: %d times", c, n)
		}
	}
}

// An error shows the character that is wrong, not one of its bytes.
func TestErrorsQuoteCharacters(t *testing.T) {
	for text, want := range map[string]string{"温度": "'温'", "a é": "' '", "a\n": `'\n'`, "a\xff": `"\xff"`, "\ufffd": `"�"`, "a1_": ""} {
		if got := stranger(text, "_"); got != want {
			t.Errorf("in %q the stranger is %s, want %s", text, got, want)
		}
	}
	r := New(Options{})
	_, err := r.CreateProduct(ProductSpec{Key: "温度"})
	if err == nil || !strings.Contains(err.Error(), `product key "温度" contains '温'`) {
		t.Error(err)
	}
}
