package credential

import "strconv"

// Part names the part of a CONNECT that was wrong.
type Part uint8

const (
	PartClientIdentifier Part = iota + 1 // cannot be read, or lacks a parameter
	PartUsername                         // not deviceName&productKey
	PartChannel                          // the login does not fit the channel it came by
	PartProduct                          // no such product
	PartDevice                           // no such device
	PartTicket                           // no such iotId, or it has expired
	PartSignature                        // the password is not the signature, or not the token
	PartDisabled                         // the device is disabled
	PartRegistration                     // dynamic registration is off, the device is active, or has its five tokens
	PartDirectory                        // the directory could not answer
	PartIdentity                         // the channel proved another device than CONNECT names
	PartProof                            // the product's devices prove who they are by something else
)

var partNames = [...]string{
	PartClientIdentifier: "malformed-client-identifier",
	PartUsername:         "bad-username",
	PartChannel:          "wrong-channel",
	PartProduct:          "unknown-product",
	PartDevice:           "unknown-device",
	PartTicket:           "unknown-ticket",
	PartSignature:        "bad-signature",
	PartDisabled:         "device-disabled",
	PartRegistration:     "registration-refused",
	PartDirectory:        "directory-failed",
	PartIdentity:         "channel-identity",
	PartProof:            "wrong-proof",
}

// String returns a stable word for logs and metrics.
func (p Part) String() string {
	if p > 0 && int(p) < len(partNames) {
		return partNames[p]
	}
	return "unknown"
}

// The CONNACK return codes of the platform. 5, not authorized, is avoided: the C SDK 4 does not know it.
const (
	CodeIdentifier  = 2 // client identifier: ill-formed, a parameter missing, the wrong channel for it
	CodeUnavailable = 3 // the server cannot decide
	CodeCredentials = 4 // user name or password: everything else, so that a stranger learns nothing
)

// Code is the CONNACK return code for a refusal of this part (platform-facts 1.8).
func (p Part) Code() byte {
	switch p {
	case PartClientIdentifier, PartChannel:
		return CodeIdentifier
	case PartDirectory:
		return CodeUnavailable
	}
	return CodeCredentials
}

// Refusal is the error of a CONNECT that is not accepted. It is written for the operator's log and must
// not be sent to the client; it never contains a secret or a password.
type Refusal struct {
	Part   Part
	Detail string // what exactly, in words

	// Content is the text that the password should have signed, with Method, if Part is PartSignature and
	// the password is a signature. Long texts are cut.
	Content string
	Method  Method
	// Hint names the mistake if the password is a correct signature of something else.
	Hint string
}

// Code is the CONNACK return code.
func (r *Refusal) Code() byte { return r.Part.Code() }

// Error explains the refusal in one line.
func (r *Refusal) Error() string {
	s := "credential: " + r.Part.String()
	if r.Detail != "" {
		s += ": " + r.Detail
	}
	if r.Content != "" {
		s += ": the password is not the " + r.Method.String() + " of " + strconv.Quote(r.Content)
	}
	if r.Hint != "" {
		s += " (" + r.Hint + ")"
	}
	return s
}

func malformed(detail string) *Refusal {
	return &Refusal{Part: PartClientIdentifier, Detail: detail}
}

// longestQuote is how much of a client's text a refusal repeats, in bytes as they are quoted.
const longestQuote = 256

// cut keeps a text to what is worth a log line. A byte takes up to four there.
func cut(text []byte) string {
	n := min(len(text), longestQuote)
	if len(strconv.Quote(string(text[:n])))-len(`""`) > longestQuote {
		n = min(n, longestQuote/4)
	}
	if n < len(text) {
		return string(text[:n]) + "..."
	}
	return string(text)
}

func quote(text []byte) string { return strconv.Quote(cut(text)) }
