package credential

import (
	"testing"

	"pgregory.net/rapid"
)

// The documentation's example, made by our side.
func TestLoginIsThatOfTheDocumentation(t *testing.T) {
	got := Device{ProductKey: "pk", DeviceName: "device", DeviceSecret: "secret"}.Login(Options{
		ClientID: "12345", Method: HMACSHA1, SecureMode: ModeTCP, Timestamp: "789",
	})
	want := Fields{
		ClientID: "12345|securemode=3,signmethod=hmacsha1,timestamp=789|",
		Username: "device&pk",
		Password: "fafd82a3d602b37fb0fa8b7892f24a477f851a14",
	}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// What we make as a client we accept as a server, and nobody else's secret does.
func TestLoginIsVerified(t *testing.T) {
	word := rapid.StringMatching(`[A-Za-z0-9_.:@-]{1,32}`)
	rapid.Check(t, func(t *rapid.T) {
		d := Device{ProductKey: word.Draw(t, "pk"), DeviceName: word.Draw(t, "dn"), DeviceSecret: word.Draw(t, "ds")}
		o := Options{
			ClientID:   rapid.SampledFrom([]string{"", "12345", "with blanks ", "&"}).Draw(t, "client id"),
			Method:     rapid.SampledFrom([]Method{HMACMD5, HMACSHA1, HMACSHA256}).Draw(t, "method"),
			SecureMode: rapid.SampledFrom([]SecureMode{0, ModeTLS, ModeTCP}).Draw(t, "mode"),
			Timestamp:  rapid.SampledFrom([]string{"", "1", "2524608000000"}).Draw(t, "timestamp"),
			Extra:      rapid.SampledFrom([]string{"", "_ss=1,ext=1", "securemode=9"}).Draw(t, "extra"),
		}
		f := d.Login(o)
		c := &Connect{ClientID: []byte(f.ClientID), Username: []byte(f.Username), Password: []byte(f.Password)}
		var l Login
		v := Verifier{Directory: &directory{secret: []byte(d.DeviceSecret)}}
		if err := v.Verify(c, &l); err != nil {
			t.Fatalf("%+v: %v", f, err)
		}
		if string(l.ProductKey) != d.ProductKey || string(l.DeviceName) != d.DeviceName || l.AutoSubscribe != (o.Extra == "_ss=1,ext=1") {
			t.Fatalf("%+v: %+v", f, l)
		}
		v = Verifier{Directory: &directory{secret: []byte(d.DeviceSecret + "x")}}
		if err := v.Verify(c, &l); err == nil {
			t.Fatalf("%+v: accepted with another secret", f)
		}
	})
}

func TestRegistrationAndTokenLoginAreVerified(t *testing.T) {
	d := Device{ProductKey: "a1B2c3D4e5", DeviceName: "dev1"}
	v := Verifier{Directory: &directory{productSecret: []byte("ps-secret-1"), token: []byte("token")}}
	for _, kind := range []AuthType{AuthRegister, AuthRegisterNew} {
		f := d.Registration(kind, "ps-secret-1", "1793885292", Options{Method: HMACSHA256})
		if kind == AuthRegister {
			// Vector E but for the case of the password.
			want := "dev1.a1B2c3D4e5|random=1793885292,authType=register,securemode=2,signmethod=hmacsha256|"
			if f.ClientID != want || f.Password != "a5d7f088ba130564bfe6a5c851722f24b1846ac2b919eea63e68feffe217977e" {
				t.Errorf("%+v", f)
			}
		}
		c := &Connect{ClientID: []byte(f.ClientID), Username: []byte(f.Username), Password: []byte(f.Password), Encrypted: true}
		var l Login
		if err := v.Verify(c, &l); err != nil || l.AuthType != kind || !l.Registers() {
			t.Errorf("%+v: %+v, %v", f, l, err)
		}
		c.Encrypted = false
		plain := Verifier{Directory: v.Directory, PlainRegistration: true}
		if err := plain.Verify(c, &l); err != nil {
			t.Errorf("%+v with the switch: %v", f, err)
		}
	}
	f := d.TokenLogin("cloudid", "token", Options{Extra: "_ss=1"})
	c := &Connect{ClientID: []byte(f.ClientID), Username: []byte(f.Username), Password: []byte(f.Password)}
	var l Login
	if err := v.Verify(c, &l); err != nil || l.AuthType != AuthToken || string(l.ClientID) != "cloudid" || !l.AutoSubscribe || l.Registers() {
		t.Errorf("%+v: %+v, %v", f, l, err)
	}
}
