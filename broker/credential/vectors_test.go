package credential

import (
	"encoding/json"
	"os"
	"testing"
)

// vectors reads a file of testdata.
func vectors[T any](t testing.TB, name string) []T {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var list []T
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(list) == 0 {
		t.Fatalf("%s is empty", name)
	}
	return list
}

// directory answers with what a vector says.
type directory struct {
	secret, productSecret, token, ticket []byte
	standing                             Standing
}

func (d *directory) DeviceSecret(_, _ []byte) ([]byte, Standing)   { return d.secret, d.standing }
func (d *directory) ProductSecret(_ []byte) ([]byte, Standing)     { return d.productSecret, d.standing }
func (d *directory) DeviceToken(_, _, _ []byte) ([]byte, Standing) { return d.token, d.standing }
func (d *directory) Ticket(_ []byte) (productKey, deviceName, token []byte, s Standing) {
	return []byte("a1B2c3D4e5"), []byte("dev1"), d.ticket, d.standing
}
