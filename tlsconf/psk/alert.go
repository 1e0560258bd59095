package psk

import (
	"errors"
	"strconv"
)

// Alert is a TLS alert description, RFC 5246 section 7.2.
type Alert uint8

// The alerts this package sends, and those it is likely to receive.
const (
	AlertCloseNotify          Alert = 0
	AlertUnexpectedMessage    Alert = 10
	AlertBadRecordMAC         Alert = 20
	AlertRecordOverflow       Alert = 22
	AlertHandshakeFailure     Alert = 40
	AlertIllegalParameter     Alert = 47
	AlertDecodeError          Alert = 50
	AlertDecryptError         Alert = 51
	AlertProtocolVersion      Alert = 70
	AlertInsufficientSecurity Alert = 71
	AlertInternalError        Alert = 80
	AlertUserCanceled         Alert = 90
	AlertNoRenegotiation      Alert = 100
	AlertUnsupportedExtension Alert = 110
	AlertUnknownPSKIdentity   Alert = 115
)

var alertNames = map[Alert]string{
	AlertCloseNotify:          "close_notify",
	AlertUnexpectedMessage:    "unexpected_message",
	AlertBadRecordMAC:         "bad_record_mac",
	AlertRecordOverflow:       "record_overflow",
	AlertHandshakeFailure:     "handshake_failure",
	AlertIllegalParameter:     "illegal_parameter",
	AlertDecodeError:          "decode_error",
	AlertDecryptError:         "decrypt_error",
	AlertProtocolVersion:      "protocol_version",
	AlertInsufficientSecurity: "insufficient_security",
	AlertInternalError:        "internal_error",
	AlertUserCanceled:         "user_canceled",
	AlertNoRenegotiation:      "no_renegotiation",
	AlertUnsupportedExtension: "unsupported_extension",
	AlertUnknownPSKIdentity:   "unknown_psk_identity",
}

// String is the alert's name in the standard, or its number.
func (a Alert) String() string {
	if s, ok := alertNames[a]; ok {
		return s
	}
	return "alert " + strconv.Itoa(int(a))
}

const (
	levelWarning = 1
	levelFatal   = 2
)

// level is what the alert is sent with: only the two that end nothing by
// themselves are warnings.
func (a Alert) level() byte {
	if a == AlertCloseNotify || a == AlertNoRenegotiation {
		return levelWarning
	}
	return levelFatal
}

// Error is why the channel failed, for this side's log. What the other side
// is told is the alert alone.
type Error struct {
	Alert  Alert // sent to the peer or, if Remote, received from it
	Remote bool
	Reason string
	// Err is ErrUnknownIdentity, ErrBadRecord or the cause behind an internal
	// error; nil otherwise.
	Err error
}

// Causes that a server's log and counters want apart although the peer gets
// the same answer at the same time for both.
var (
	// ErrUnknownIdentity: the key lookup did not know the identity.
	ErrUnknownIdentity = errors.New("unknown psk identity")
	// ErrBadRecord: a record did not verify. In place of the client's
	// Finished it means that the client has another key.
	ErrBadRecord = errors.New("record does not verify")
)

func (e *Error) Error() string {
	if e.Remote {
		return "psk: the peer sent " + e.Alert.String()
	}
	s := "psk: " + e.Reason
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s + " (" + e.Alert.String() + ")"
}

func (e *Error) Unwrap() error { return e.Err }

// fail makes an error of this side that ends the channel with the alert.
func fail(a Alert, reason string) *Error { return &Error{Alert: a, Reason: reason} }
