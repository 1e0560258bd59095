package device

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Lengths of names and secrets, in bytes. The first four are the platform's (platform-facts 2.3); the others
// are ours, wide enough for what devices in the field carry: the C SDK has room for a ProductKey of 20, a
// DeviceName of 32 and secrets of 64.
const (
	ShortestDeviceName = 4
	LongestDeviceName  = 32

	longestImportedName = 64
	longestProductKey   = 32
	longestSecret       = 128
	longestLabel        = 256 // a nickname, a product's name, a description
)

// reserved are the first levels of the platform's own topics: no product can be called so.
var reserved = map[string]bool{"sys": true, "ext": true, "shadow": true, "ota": true, "broadcast": true, "as": true}

// checkProductKey: letters, digits, '_' and '-', up to 32, none of the platform's own words. The platform's
// keys are 11 letters and digits; older ones are shorter.
func checkProductKey(key string) error {
	if len(key) < 1 || len(key) > longestProductKey {
		return refuse(ErrInvalid, "product key %q has %d bytes, not 1 to %d", brief(key), len(key), longestProductKey)
	}
	if c := stranger(key, "_-"); c != "" {
		return refuse(ErrInvalid, "product key %q contains %s; allowed are letters, digits, '_' and '-'", key, c)
	}
	if reserved[key] {
		return refuse(ErrInvalid, "product key %q is the first level of the platform's own topics", key)
	}
	return nil
}

// checkNewName is the platform's rule for a DeviceName: 4 to 32 of letters, digits and "-_@.:".
func checkNewName(name string) error {
	if len(name) < ShortestDeviceName || len(name) > LongestDeviceName {
		return refuse(ErrInvalid, "device name %q has %d bytes, not %d to %d",
			brief(name), len(name), ShortestDeviceName, LongestDeviceName)
	}
	if c := stranger(name, "-_@.:"); c != "" {
		return refuse(ErrInvalid, "device name %q contains %s; allowed are letters, digits and any of -_@.:", name, c)
	}
	return nil
}

// checkImportedName lets through every name that works: 1 to 64 bytes of UTF-8 without white space and
// control characters, and without the characters that separate things around it: "/", "+" and "#" in a
// topic, "&" in the user name, "|" and "," in identifiers.
func checkImportedName(name string) error {
	if len(name) < 1 || len(name) > longestImportedName {
		return refuse(ErrInvalid, "device name %q has %d bytes, not 1 to %d", brief(name), len(name), longestImportedName)
	}
	if !utf8.ValidString(name) {
		return refuse(ErrInvalid, "device name %q is not UTF-8", name)
	}
	for _, r := range name {
		if strings.ContainsRune("/+#&|,", r) || unicode.IsSpace(r) || unicode.IsControl(r) {
			return refuse(ErrInvalid, "device name %q contains %q", name, r)
		}
	}
	return nil
}

// checkSecret accepts any printable ASCII text without blanks: the bytes are the key of an HMAC. The secret
// itself never appears in the error.
func checkSecret(what, secret string) error {
	if len(secret) < 1 || len(secret) > longestSecret {
		return refuse(ErrInvalid, "%s has %d bytes, not 1 to %d", what, len(secret), longestSecret)
	}
	for i, c := range []byte(secret) {
		if c <= ' ' || c > '~' {
			return refuse(ErrInvalid, "%s contains a character that is not printable ASCII at offset %d", what, i)
		}
	}
	return nil
}

// checkLabel is for texts that only people read.
func checkLabel(what, text string) error {
	if len(text) > longestLabel {
		return refuse(ErrInvalid, "%s has %d bytes, more than %d", what, len(text), longestLabel)
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return refuse(ErrInvalid, "%s %q is not printable text", what, text)
	}
	return nil
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// stranger is the first character, in quotes, that is neither a letter or digit of ASCII nor one of others; "" if
// there is none. A byte that is not UTF-8 shows as an escape.
func stranger(text, others string) string {
	for i, r := range text {
		switch {
		case r < utf8.RuneSelf && (alphanumeric(byte(r)) || strings.IndexByte(others, byte(r)) >= 0):
		case r == utf8.RuneError:
			_, size := utf8.DecodeRuneInString(text[i:])
			return strconv.Quote(text[i : i+size])
		default:
			return strconv.QuoteRune(r)
		}
	}
	return ""
}

// brief cuts a text to what is worth an error message.
func brief(s string) string {
	if len(s) > longestImportedName {
		return s[:longestImportedName] + "..."
	}
	return s
}

// ValidDeviceName reports whether a new device may have this name.
func ValidDeviceName(name string) bool { return checkNewName(name) == nil }
