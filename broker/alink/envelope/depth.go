package envelope

// MaxDepth is how many objects and lists may be in one another, the outermost included, in the params of a
// request and in any other JSON that is kept of a device. encoding/json reads 10,000 levels, and writes more:
// without a bound there could be a value that is read alone, and cannot be read again once it is kept in
// another one.
const MaxDepth = 32

// TooDeep reports whether JSON is nested more deeply than MaxDepth. It makes one pass and allocates nothing. Of
// text that is not JSON it says nothing of use.
func TooDeep(text []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++ // what it escapes ends no string
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
