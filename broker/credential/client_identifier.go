package credential

import (
	"bytes"
	"strconv"
)

// MaxClientID is the longest client id, the text before the first pipe, in bytes (platform: "within 64
// characters"). The whole identifier has no limit of its own: 80 to 150 bytes are usual, so the 23 of
// MQTT 3.1 do not hold here.
const MaxClientID = 64

// AuthType is the authType parameter: what kind of login this is.
type AuthType uint8

const (
	AuthSecret           AuthType = iota // none, or one that has no meaning here: the device's secret signs
	AuthRegister                         // register: a known device asks for its secret, the product's secret signs
	AuthRegisterNew                      // regnwl: a device not registered before asks for a token
	AuthToken                            // connwl: the password is that token
	AuthChip                             // id2: a chip proves the device
	AuthPreauthenticated                 // an HTTPS authentication gave user name and password (securemode -1, 0)
)

var authTypeNames = [...]string{"secret", "register", "regnwl", "connwl", "id2", "preauthenticated"}

// String returns the parameter's value, or a word for the kinds that have none.
func (a AuthType) String() string {
	if int(a) < len(authTypeNames) {
		return authTypeNames[a]
	}
	return "unknown"
}

// ClientIdentifier is what the client identifier of CONNECT says. After Parse it is a view: the slices
// alias the parsed bytes and live as long as they do.
type ClientIdentifier struct {
	ClientID   []byte     // the text before the first pipe; signed
	SecureMode SecureMode // securemode
	Method     Method     // signmethod
	Timestamp  []byte     // timestamp as it was sent, nil if absent; signed, and never compared with a clock
	AuthType   AuthType   // authType
	Random     []byte     // random, of a dynamic registration; signed there
	InstanceID []byte     // instanceId
	SDKVersion []byte     // _v, for logs
	Language   []byte     // lan, for logs

	// CustomRRPC says that the device takes calls on topics of its own (bit 0 of ext).
	CustomRRPC bool
	// AutoSubscribe says that the device subscribes no system topic and yet wants them (_ss=1).
	AutoSubscribe bool
	// Gateway is what the client says of itself (gw=1); the registry knows better.
	Gateway bool
}

// Parse reads a client identifier and overwrites all of c. It is lenient as clients in the field need it:
// everything behind the first pipe is split at commas, and each item loses blanks and pipes at both ends.
// So a pipe inside a value (the Node SDK's "lan=JS|Broswer ") or an item behind the closing pipe ("|,ext=1",
// as the custom-topic RRPC page tells users to append) do no harm. Items that are unknown, empty or without
// a "=" mean nothing, and so do values of ext, gw and _ss that are not numbers. When a key appears twice the
// first one holds: no source says what the platform does.
//
// The error is a *Refusal with PartClientIdentifier: no pipe, a client id that is too long, no securemode,
// or a securemode or signmethod that nobody knows.
func (c *ClientIdentifier) Parse(identifier []byte) error {
	*c = ClientIdentifier{}
	base, rest, found := bytes.Cut(identifier, pipe)
	switch {
	case !found:
		return malformed("no '|' behind the client id: the form is clientId|securemode=..,signmethod=..|")
	case len(base) > MaxClientID:
		return malformed("the client id before the first '|' has " + strconv.Itoa(len(base)) +
			" bytes, more than " + strconv.Itoa(MaxClientID))
	}
	var seen seen
	for len(rest) > 0 {
		var item []byte
		item, rest, _ = bytes.Cut(rest, comma)
		key, value, found := bytes.Cut(trim(item), equals)
		if !found {
			continue
		}
		if err := c.set(&seen, trim(key), trim(value)); err != nil {
			*c = ClientIdentifier{}
			return err
		}
	}
	if !seen.has(keySecureMode) {
		*c = ClientIdentifier{}
		return malformed("no securemode")
	}
	if c.SecureMode.Chip() && c.AuthType == AuthSecret {
		c.AuthType = AuthChip
	}
	if c.SecureMode.Guider() && c.AuthType == AuthSecret {
		c.AuthType = AuthPreauthenticated
	}
	c.ClientID = base
	return nil
}

var (
	pipe   = []byte("|")
	comma  = []byte(",")
	equals = []byte("=")
)

// parameter names a key that has a meaning.
type parameter uint8

const (
	keyNone parameter = iota
	keySecureMode
	keySignMethod
	keyTimestamp
	keyAuthType
	keyRandom
	keyInstanceID
	keyVersion
	keyLanguage
	keyExtensions
	keyAutoSubscribe
	keyGateway
)

// seen is the set of keys that have appeared.
type seen uint16

func (s seen) has(k parameter) bool { return s>>k&1 != 0 }

// key finds a parameter by its name. Names are compared exactly, but for the two that clients spell in
// more than one way.
func key(name []byte) parameter {
	switch string(name) {
	case "securemode":
		return keySecureMode
	case "signmethod", "signMethod":
		return keySignMethod
	case "timestamp":
		return keyTimestamp
	case "authType", "authtype":
		return keyAuthType
	case "random":
		return keyRandom
	case "instanceId":
		return keyInstanceID
	case "_v":
		return keyVersion
	case "lan":
		return keyLanguage
	case "ext":
		return keyExtensions
	case "_ss":
		return keyAutoSubscribe
	case "gw":
		return keyGateway
	}
	return keyNone
}

// set takes a parameter over, unless it has been there before.
func (c *ClientIdentifier) set(seen *seen, name, value []byte) error {
	k := key(name)
	if k == keyNone || seen.has(k) {
		return nil
	}
	*seen |= 1 << k
	switch k {
	case keySecureMode:
		n, ok := number(value)
		c.SecureMode = SecureMode(n)
		if !ok || int(c.SecureMode) != n || !c.SecureMode.Known() {
			return malformed("unknown securemode " + quote(value))
		}
	case keySignMethod:
		var ok bool
		if c.Method, ok = ParseMethod(value); !ok {
			return malformed("unknown signmethod " + quote(value))
		}
	case keyTimestamp:
		c.Timestamp = value
	case keyAuthType:
		c.AuthType = authType(value)
	case keyRandom:
		c.Random = value
	case keyInstanceID:
		c.InstanceID = value
	case keyVersion:
		c.SDKVersion = value
	case keyLanguage:
		c.Language = value
	case keyExtensions:
		n, ok := number(value)
		c.CustomRRPC = ok && n&1 != 0
	case keyAutoSubscribe:
		n, ok := number(value)
		c.AutoSubscribe = ok && n == 1
	case keyGateway:
		n, ok := number(value)
		c.Gateway = ok && n == 1
	}
	return nil
}

// authType finds the kind of login. Other values, such as the custom-ilop of the Living line, sign with the
// device's secret like everybody.
func authType(value []byte) AuthType {
	switch string(value) {
	case "register":
		return AuthRegister
	case "regnwl":
		return AuthRegisterNew
	case "connwl":
		return AuthToken
	case "id2":
		return AuthChip
	}
	return AuthSecret
}

// number reads a decimal number of at most nine digits with an optional minus.
func number(text []byte) (n int, ok bool) {
	digits, negative := bytes.CutPrefix(text, minus)
	if len(digits) == 0 || len(digits) > 9 {
		return 0, false
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = 10*n + int(d-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}

var minus = []byte("-")

// trim takes blanks and pipes off both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && trimmed(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && trimmed(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func trimmed(c byte) bool {
	return c == '|' || c == ' ' || c == '\t' || c == '\n' || c == '\r'
}
