package credential

import "testing"

// Vector G of the platform's facts: made by the C SDK 4.
func TestPSKIsThatOfTheCSDK(t *testing.T) {
	const identity = "devicename|hmacsha256|a1B2c3D4e5&dev1|2524608000000"
	var p PSKIdentity
	if !p.Parse([]byte(identity)) {
		t.Fatal("identity refused")
	}
	if string(p.ProductKey) != "a1B2c3D4e5" || string(p.DeviceName) != "dev1" || p.Method != HMACSHA256 || string(p.Timestamp) != "2524608000000" {
		t.Errorf("%+v", p)
	}
	const key = "0CD8A0E8794C67A37E8F309608106D5B7BF3B1E4DFB6509A99989E5E8A40E6CF"
	if got := string(p.AppendKey(nil, []byte("ds-secret-1"))); got != key {
		t.Errorf("key %s, want %s", got, key)
	}
	if got := string(p.AppendTo(nil)); got != identity {
		t.Errorf("identity %s, want %s", got, identity)
	}
}

func TestPSKIdentitiesThatAreNone(t *testing.T) {
	for _, identity := range []string{
		"", "|", "|||", "devicename", "devicename|hmacsha256", "devicename|hmacsha256|pk&dn", "devicename|hmacsha256||1",
		"devicename|hmacsha256|pk|1", "devicename|hmacsha256|&dn|1", "devicename|hmacsha256|pk&|1",
		"devicename|hmacsha256|pk&dn&x|1", "devicename|sha256|pk&dn|1", "productkey|hmacsha256|pk&dn|1", "DeviceName|hmacsha256|pk&dn|1",
	} {
		p := PSKIdentity{Timestamp: []byte("left over")}
		if p.Parse([]byte(identity)) || p.Timestamp != nil {
			t.Errorf("%q accepted as %+v", identity, p)
		}
	}
}
