package credential

import "crypto/subtle"

// Standing is what a Directory says of the one who logs in.
type Standing uint8

const (
	Enabled Standing = iota // may log in
	Disabled
	NoProduct
	NoDevice
	NoTicket
	Failed // the directory cannot answer now
)

// Directory knows the secrets. It is asked once for each CONNECT, on the connection's goroutine, and must
// not allocate on the way to a known device if CONNECT is not to. The returned bytes are only read, and only
// before Verify returns. A secret belongs to every Standing but NoProduct, NoDevice, NoTicket and Failed.
type Directory interface {
	// DeviceSecret finds the secret of a device.
	DeviceSecret(productKey, deviceName []byte) (secret []byte, s Standing)
	// ProductSecret finds the secret that signs the registrations of a product's devices.
	ProductSecret(productKey []byte) (secret []byte, s Standing)
	// DeviceToken finds the token that was given to the device for this client id by a registration of the
	// kind AuthRegisterNew. A nil token never matches.
	DeviceToken(productKey, deviceName, clientID []byte) (token []byte, s Standing)
	// Ticket finds the device and the token behind the iotId of an HTTPS authentication.
	Ticket(iotID []byte) (productKey, deviceName, token []byte, s Standing)
}

// Connect is what a Verifier looks at. The slices are only read.
type Connect struct {
	ClientID []byte // the client identifier
	Username []byte
	Password []byte

	// Encrypted says that the connection came over an encrypted channel.
	Encrypted bool
	// Proof is by what the channel itself has proved the device that Username names. The password is not
	// looked at then.
	Proof Proof
}

// Verifier checks logins against a directory. It may be used by many goroutines at once. The switches are
// for what no public page decides; their zero values are the default.
type Verifier struct {
	Directory Directory

	// MatchChannel refuses a securemode that does not match the channel (securemode=3 over TLS, 2 over TCP).
	MatchChannel bool
	// PlainRegistration lets dynamic registration happen over an unencrypted channel, which the platform
	// refuses because it would send the device's secret in the clear.
	PlainRegistration bool
}

// Login is a verified CONNECT. Its slices alias the packet's bytes, or, after a login of the kind
// AuthPreauthenticated, the directory's.
type Login struct {
	ClientIdentifier
	ProductKey []byte
	DeviceName []byte
}

// Registers reports whether the client did not log in but asked for a secret or a token: it is to be
// answered on the topic of its kind, and the connection carries nothing else.
func (l *Login) Registers() bool {
	return l.AuthType == AuthRegister || l.AuthType == AuthRegisterNew
}

// Verify checks a CONNECT and overwrites all of l. The error is a *Refusal; l then holds what could be read,
// for the log. Verify allocates nothing unless it refuses. An unknown device, a bad signature and a disabled
// device take about the same time.
func (v *Verifier) Verify(c *Connect, l *Login) error {
	l.ProductKey, l.DeviceName = nil, nil
	if err := l.ClientIdentifier.Parse(c.ClientID); err != nil {
		l.ProductKey, l.DeviceName, _ = ParseUsername(c.Username)
		return err
	}
	if v.MatchChannel && l.SecureMode.Encrypted() != c.Encrypted {
		return &Refusal{Part: PartChannel, Detail: "securemode " + l.SecureMode.String() + mismatch(c.Encrypted)}
	}
	if l.AuthType == AuthPreauthenticated {
		return v.verifyTicket(c, l)
	}
	var ok bool
	if l.ProductKey, l.DeviceName, ok = ParseUsername(c.Username); !ok {
		return &Refusal{Part: PartUsername, Detail: quote(c.Username) + " is not deviceName&productKey"}
	}
	switch l.AuthType {
	case AuthRegister, AuthRegisterNew:
		return v.verifyRegistration(c, l)
	case AuthToken:
		token, s := v.Directory.DeviceToken(l.ProductKey, l.DeviceName, l.ClientID)
		return v.compareToken(c, l, token, s)
	case AuthChip:
		if c.Proof != ProofChip {
			return &Refusal{Part: PartChannel, Detail: "a login with ID2 needs a channel that proves the chip"}
		}
	}
	return v.verifySecret(c, l)
}

func mismatch(encrypted bool) string {
	if encrypted {
		return " over an encrypted channel"
	}
	return " over an unencrypted channel"
}

// verifySecret is the ordinary login: one device, one secret.
func (v *Verifier) verifySecret(c *Connect, l *Login) error {
	secret, standing := v.Directory.DeviceSecret(l.ProductKey, l.DeviceName)
	if c.Proof != NoProof {
		return l.refuse(standing)
	}
	signer := l.Method.signer()
	defer l.Method.release(signer)
	content := l.content()
	signer.text = content.AppendTo(signer.text[:0])
	return l.verdict(c, secret, standing, signer.matches(c.Password, secretOr(secret), signer.text), signer.text)
}

// verifyRegistration checks the signature of a product's device that has no secret yet. Whether this device
// may register is for the registry to say.
func (v *Verifier) verifyRegistration(c *Connect, l *Login) error {
	if !c.Encrypted && !v.PlainRegistration {
		return &Refusal{Part: PartChannel, Detail: "dynamic registration over an unencrypted channel"}
	}
	if len(l.Random) == 0 {
		return malformed("no random in a dynamic registration")
	}
	secret, standing := v.Directory.ProductSecret(l.ProductKey)
	signer := l.Method.signer()
	defer l.Method.release(signer)
	content := RegistrationContent{DeviceName: l.DeviceName, ProductKey: l.ProductKey, Random: l.Random}
	signer.text = content.AppendTo(signer.text[:0])
	return l.verdict(c, secret, standing, signer.matches(c.Password, secretOr(secret), signer.text), signer.text)
}

// verifyTicket is the login after an HTTPS authentication.
func (v *Verifier) verifyTicket(c *Connect, l *Login) error {
	productKey, deviceName, token, standing := v.Directory.Ticket(c.Username)
	l.ProductKey, l.DeviceName = productKey, deviceName
	return v.compareToken(c, l, token, standing)
}

// compareToken is a login whose password is a token that the platform gave out.
func (v *Verifier) compareToken(c *Connect, l *Login, token []byte, s Standing) error {
	match := subtle.ConstantTimeCompare(c.Password, secretOr(token)) == 1 && len(token) > 0
	if !match && (s == Enabled || s == Disabled) {
		return &Refusal{Part: PartSignature, Detail: "the password is not the token that was given to this client id"}
	}
	return l.refuse(s)
}

// nobody stands in for the secret of a device that does not exist, so that the answer takes as long.
var nobody = []byte("0123456789abcdef0123456789abcdef")

func secretOr(secret []byte) []byte {
	if len(secret) == 0 {
		return nobody
	}
	return secret
}

func (l *Login) content() Content {
	return Content{ClientID: l.ClientID, DeviceName: l.DeviceName, ProductKey: l.ProductKey, Timestamp: l.Timestamp}
}

// verdict joins the signature's result with the standing. An empty secret never matches.
func (l *Login) verdict(c *Connect, secret []byte, s Standing, match bool, signed []byte) error {
	if match && len(secret) > 0 {
		return l.refuse(s)
	}
	r := &Refusal{Part: PartSignature, Method: l.Method, Content: cut(signed), Hint: l.hint(c, secretOr(secret))}
	if s == Enabled || s == Disabled {
		return r
	}
	return l.refuse(s)
}

// refuse turns a standing into the answer.
func (l *Login) refuse(s Standing) error {
	switch s {
	case Enabled:
		return nil
	case Disabled:
		return &Refusal{Part: PartDisabled, Detail: quote(l.DeviceName) + " of product " + quote(l.ProductKey)}
	case NoProduct:
		return &Refusal{Part: PartProduct, Detail: quote(l.ProductKey)}
	case NoDevice:
		return &Refusal{Part: PartDevice, Detail: quote(l.DeviceName) + " of product " + quote(l.ProductKey)}
	case NoTicket:
		return &Refusal{Part: PartTicket, Detail: "the user name is no iotId, or its token has expired"}
	}
	return &Refusal{Part: PartDirectory}
}
