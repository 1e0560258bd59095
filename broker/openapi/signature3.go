package openapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// scheme3 names the third signature scheme in the Authorization header: method, query, chosen headers and
// the hash of the body are signed with HMAC-SHA256. (platform: facts, section 5)
const scheme3 = "ACS3-HMAC-SHA256"

// authorization is a parsed Authorization header of scheme 3.
type authorization struct {
	credential string
	headers    []string // names, lower case, in the order in which they are signed
	signature  string
}

// mustSign is the headers without which a signature would not protect the request.
var mustSign = []string{"host", "x-acs-action", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"}

func parseAuthorization(header string) (a authorization, ok bool) {
	rest, ok := strings.CutPrefix(header, scheme3)
	if !ok {
		return a, false
	}
	for _, item := range strings.Split(strings.TrimSpace(rest), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(item), "=")
		switch name {
		case "Credential":
			a.credential = value
		case "SignedHeaders":
			a.headers = strings.Split(value, ";")
		case "Signature":
			a.signature = value
		}
	}
	for _, name := range mustSign {
		if !slices.Contains(a.headers, name) {
			return a, false
		}
	}
	return a, a.credential != "" && a.signature != ""
}

// sign3 is the signature of a request whose body is body.
func sign3(r *http.Request, headers []string, query url.Values, body []byte, secret string) string {
	var canonical strings.Builder
	canonical.WriteString(r.Method + "\n" + r.URL.EscapedPath() + "\n" + canonicalQuery(query, "") + "\n")
	for _, name := range headers {
		value := strings.Join(r.Header.Values(name), ",")
		if name == "host" {
			value = r.Host
		}
		canonical.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	canonical.WriteString("\n" + strings.Join(headers, ";") + "\n" + hashHex(body))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(scheme3 + "\n" + hashHex([]byte(canonical.String()))))
	return hex.EncodeToString(mac.Sum(nil))
}

func hashHex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
