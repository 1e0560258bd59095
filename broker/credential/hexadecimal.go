package credential

const (
	lowerDigits = "0123456789abcdef"
	upperDigits = "0123456789ABCDEF"
)

func appendHex(dst, b []byte, digits string) []byte {
	for _, c := range b {
		dst = append(dst, digits[c>>4], digits[c&15])
	}
	return dst
}

// decodeHex reads hexadecimal of either case, at most as much as the longest HMAC. It returns ok false for
// anything else; what it has read until then is not secret.
func decodeHex(dst *[largestSum]byte, text []byte) (n int, ok bool) {
	if len(text)%2 != 0 || len(text) > 2*len(dst) {
		return 0, false
	}
	for i := 0; i < len(text); i += 2 {
		high, ok1 := hexDigit(text[i])
		low, ok2 := hexDigit(text[i+1])
		if !ok1 || !ok2 {
			return 0, false
		}
		dst[i/2] = high<<4 | low
	}
	return len(text) / 2, true
}

func hexDigit(c byte) (value byte, ok bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
