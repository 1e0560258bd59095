package control

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// signed makes the form of a call: the action's parameters, those that every call has, and the signature
// over all of them (signature version 1).
func (a *api) signed(action string, params map[string]string) url.Values {
	all := map[string]string{
		"Action": action, "Version": "2018-01-20", "Format": "JSON", "RegionId": "local",
		"AccessKeyId": a.key, "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
		"SignatureNonce": rand.Text(), "Timestamp": a.now().UTC().Format(time.RFC3339),
	}
	maps.Copy(all, params)
	all["Signature"] = signature("POST", all, a.secret)
	form := url.Values{}
	for name, value := range all {
		form.Set(name, value)
	}
	return form
}

func signature(method string, params map[string]string, secret string) string {
	var query strings.Builder
	for i, name := range slices.Sorted(maps.Keys(params)) {
		if i > 0 {
			query.WriteByte('&')
		}
		query.WriteString(percent(name) + "=" + percent(params[name]))
	}
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	mac.Write([]byte(method + "&%2F&" + percent(query.String())))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// percent encodes everything but letters, digits and -_.~ (RFC 3986). Package url encodes a blank as "+".
func percent(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
