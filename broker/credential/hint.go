package credential

// hint looks for the mistake behind a bad signature: the HMAC of another method, of the content without its
// timestamp, or of the whole client identifier. It costs a few HMACs, on refusals only, and the same number
// for a device that does not exist.
func (l *Login) hint(c *Connect, secret []byte) string {
	if l.Registers() {
		return ""
	}
	content := l.content()
	found := ""
	text := content.AppendTo(nil)
	for m := range Method(methods) {
		if m != l.Method && m.Matches(c.Password, secret, text) {
			// The Node SDK 1.2.8 signs with hmacsha1 whatever it announces.
			found = "it is the " + m.String() + ": the client announces one method and signs with another"
		}
	}
	content.Timestamp = nil
	if l.Method.Matches(c.Password, secret, content.AppendTo(text[:0])) {
		found = "it is that of the content without the timestamp, which must be signed if it is sent"
	}
	content = l.content()
	content.ClientID = c.ClientID
	if l.Method.Matches(c.Password, secret, content.AppendTo(text[:0])) {
		found = "it is that of the whole client identifier; only the text before the first '|' is signed"
	}
	return found
}
