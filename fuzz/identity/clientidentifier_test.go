package identity

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"sampan/broker/credential"
	"sampan/internal/ceiling"
)

// vault knows one device, whoever asks.
type vault struct {
	secret   []byte
	standing credential.Standing
}

func (v *vault) DeviceSecret(_, _ []byte) ([]byte, credential.Standing) { return v.secret, v.standing }
func (v *vault) ProductSecret(_ []byte) ([]byte, credential.Standing)   { return v.secret, v.standing }
func (v *vault) DeviceToken(_, _, _ []byte) ([]byte, credential.Standing) {
	return v.secret, v.standing
}
func (v *vault) Ticket(_ []byte) (productKey, deviceName, token []byte, s credential.Standing) {
	return []byte("pk"), []byte("dn"), v.secret, v.standing
}

// FuzzClientIdentifier sends any three fields of CONNECT, over any channel, to the platform's authentication.
// What it holds: nothing panics or changes its input; what is read is what is there; unknown parameters mean
// nothing; who signs right gets in and nobody else; a refusal is short and names no secret.
func FuzzClientIdentifier(f *testing.F) {
	f.Fuzz(func(t *testing.T, identifier, username, password []byte, flags byte) {
		defer ceiling.Bytes(ceiling.Lots + 128*(len(identifier)+len(username)+len(password))).Hold(t)()
		const secret = "the secret of the device 0123456"
		known := &vault{[]byte(secret), credential.Standing(flags & 7)}
		v := credential.Verifier{Directory: known, MatchChannel: flags&8 != 0, PlainRegistration: flags&16 != 0}
		connect := &credential.Connect{ClientID: identifier, Username: username, Password: password, Encrypted: flags&32 != 0}
		before := [][]byte{bytes.Clone(identifier), bytes.Clone(username), bytes.Clone(password)}

		var l credential.Login
		err := v.Verify(connect, &l)
		if !bytes.Equal(identifier, before[0]) || !bytes.Equal(username, before[1]) || !bytes.Equal(password, before[2]) {
			t.Fatal("the input was changed")
		}
		checkRefusal(t, err, secret)
		if err == nil && known.standing != credential.Enabled {
			t.Fatalf("somebody of standing %d was let in", known.standing)
		}

		var c credential.ClientIdentifier
		if err := c.Parse(identifier); err != nil {
			checkRefusal(t, err, secret)
			if c.ClientID != nil || c.Timestamp != nil || c.CustomRRPC {
				t.Fatalf("%q: %+v beside an error", identifier, c)
			}
			return
		}
		checkIdentifier(t, &c, identifier)
		checkSignature(t, &c, connect, secret)
	})
}

// checkIdentifier holds an identifier that was read to the bytes that it was read from.
func checkIdentifier(t *testing.T, c *credential.ClientIdentifier, identifier []byte) {
	base, _, found := bytes.Cut(identifier, []byte("|"))
	if !found || !bytes.Equal(c.ClientID, base) || len(base) > credential.MaxClientID || !c.SecureMode.Known() {
		t.Fatalf("%q: %+v", identifier, c)
	}
	for _, value := range [][]byte{c.Timestamp, c.Random, c.InstanceID, c.SDKVersion, c.Language} {
		if !bytes.Contains(identifier, value) || bytes.IndexByte(value, ',') >= 0 || !bytes.Equal(bytes.Trim(value, " |\t\r\n"), value) {
			t.Fatalf("%q: value %q", identifier, value)
		}
	}
	// Whatever a client adds behind, of its own or for the second time, the meaning stays.
	for _, more := range []string{",", "|", ",x=y", "|,_x=1|", ",novalue", ",securemode=9,signmethod=z"} {
		var again credential.ClientIdentifier
		if err := again.Parse(append(bytes.Clone(identifier), more...)); err != nil && !strings.Contains(more, "securemode") {
			t.Fatalf("%q refused with %q behind: %v", identifier, more, err)
		} else if err == nil && (again.SecureMode != c.SecureMode || again.AuthType != c.AuthType || !bytes.Equal(again.ClientID, c.ClientID)) {
			t.Fatalf("%q changed its meaning with %q behind: %+v, was %+v", identifier, more, again, c)
		}
	}
}

// checkSignature signs what the identifier says as a device does, and sees that it gets in, and that it does
// not with another secret or another content.
func checkSignature(t *testing.T, c *credential.ClientIdentifier, connect *credential.Connect, secret string) {
	productKey, deviceName, ok := credential.ParseUsername(connect.Username)
	if !ok || c.AuthType != credential.AuthSecret {
		return
	}
	if string(deviceName)+"&"+string(productKey) != string(connect.Username) {
		t.Fatalf("%q is %q and %q", connect.Username, deviceName, productKey)
	}
	content := credential.Content{ClientID: c.ClientID, DeviceName: deviceName, ProductKey: productKey, Timestamp: c.Timestamp}
	signed := content.AppendTo(nil)
	right := &credential.Connect{
		ClientID: connect.ClientID, Username: connect.Username,
		Password: c.Method.AppendHex(nil, []byte(secret), signed),
	}
	v := credential.Verifier{Directory: &vault{secret: []byte(secret)}}
	var l credential.Login
	if err := v.Verify(right, &l); err != nil {
		t.Fatalf("%q %q: the right signature is refused: %v", connect.ClientID, connect.Username, err)
	}
	right.Password = bytes.ToUpper(right.Password)
	if err := v.Verify(right, &l); err != nil {
		t.Fatalf("%q %q: the right signature is refused in upper case: %v", connect.ClientID, connect.Username, err)
	}
	other := credential.Verifier{Directory: &vault{secret: []byte(secret + "x")}}
	if err := other.Verify(right, &l); err == nil {
		t.Fatalf("%q %q: let in with another secret", connect.ClientID, connect.Username)
	}
	if !bytes.EqualFold(connect.Password, right.Password) {
		right.Password = connect.Password
		if err := v.Verify(right, &l); err == nil {
			t.Fatalf("%q %q: let in with %q", connect.ClientID, connect.Username, connect.Password)
		}
	}
}

func checkRefusal(t *testing.T, err error, secret string) {
	if err == nil {
		return
	}
	var r *credential.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("error %v is no Refusal", err)
	}
	if code := r.Code(); code < 2 || code > 4 {
		t.Fatalf("%v: code %d", r, code)
	}
	text := r.Error()
	if len(text) > 1500 {
		t.Fatalf("refusal of %d bytes", len(text))
	}
	if strings.Contains(text, secret) {
		t.Fatalf("the refusal names the secret: %s", text)
	}
}
