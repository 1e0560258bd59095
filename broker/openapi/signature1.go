package openapi

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"net/url"
	"sort"
	"strings"
)

// signature1 is the first signature scheme: the parameters of query and form together, sorted and encoded,
// signed with HMAC-SHA1 (or HMAC-SHA256); the signature is one more parameter. (platform: facts, section 5)

// sign1 is the signature of params for the given HTTP method.
func sign1(method string, params url.Values, secret, algorithm string) (string, bool) {
	var h func() hash.Hash
	switch strings.ToUpper(algorithm) {
	case "", "HMAC-SHA1":
		h = sha1.New
	case "HMAC-SHA256":
		h = sha256.New
	default:
		return "", false
	}
	mac := hmac.New(h, []byte(secret+"&"))
	mac.Write([]byte(method + "&%2F&" + encode(canonicalQuery(params, "Signature"))))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil)), true
}

// canonicalQuery is the parameters but one, sorted by name and encoded.
func canonicalQuery(params url.Values, without string) string {
	names := make([]string, 0, len(params))
	for name := range params {
		if name != without {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	var b strings.Builder
	for _, name := range names {
		for _, value := range params[name] {
			if b.Len() > 0 {
				b.WriteByte('&')
			}
			b.WriteString(encode(name))
			b.WriteByte('=')
			b.WriteString(encode(value))
		}
	}
	return b.String()
}

// encode is percent-encoding as RFC 3986 has it: everything but letters, digits, '-', '_', '.' and '~'.
func encode(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
