package packet

import "unicode/utf8"

// maxText is the most bytes that a length-prefixed field can hold.
const maxText = 65_535

// field reads the length-prefixed field at b[i:] and returns it with the offset
// behind it. ok is false if b ends before the field does.
func field(b []byte, i int) (s []byte, next int, ok bool) {
	if len(b)-i < 2 {
		return nil, i, false
	}
	n := int(b[i])<<8 | int(b[i+1])
	i += 2
	if len(b)-i < n {
		return nil, i, false
	}
	return b[i : i+n : i+n], i + n, true
}

// appendField appends s with its length before it. len(s) is at most maxText.
func appendField(dst, s []byte) []byte {
	dst = append(dst, byte(len(s)>>8), byte(len(s)))
	return append(dst, s...)
}

// badText looks for what a text field may not contain and returns the broken
// rule, its place and the byte found there; the rule is empty for a good text.
// U+FEFF is a character like any other (MQTT-1.5.3-3).
func badText(s []byte) (rule Rule, at int) {
	if plainText(s) {
		return "", 0
	}
	for at < len(s) {
		if s[at] == 0 { // MQTT-1.5.3-2
			return RuleTextNUL, at
		}
		r, n := utf8.DecodeRune(s[at:])
		if r == utf8.RuneError && n == 1 { // MQTT-1.5.3-1; surrogates are among these
			return RuleTextUTF8, at
		}
		at += n
	}
	return "", 0
}

// plainText reports whether s is ASCII without U+0000, which needs no closer
// look: eight bytes at a time, as scan does.
func plainText(s []byte) bool {
	var odd uint64
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := load(s, i)
		odd |= w | ^(w + lows)
	}
	for ; i < len(s); i++ {
		if c := s[i]; c == 0 || c >= 0x80 {
			return false
		}
	}
	return odd&highs == 0
}
