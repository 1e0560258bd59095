package credential

// Method is the HMAC that signs. The zero value is the platform's default.
type Method uint8

const (
	HMACMD5 Method = iota // the default when signmethod is absent (platform: signing page of 2020)
	HMACSHA1
	HMACSHA256

	methods = iota
)

var methodNames = [methods]string{"hmacmd5", "hmacsha1", "hmacsha256"}

// methodSizes are the lengths of the codes in bytes; the password is twice as long.
var methodSizes = [methods]int{16, 20, 32}

// ParseMethod finds a method by its name in any case: clients write hmacsha1, HmacSHA1 and hmacSha1. The
// plain "sha256" of some pages has no description of what it signs and is unknown here.
func ParseMethod[T string | []byte](name T) (m Method, ok bool) {
	for i, s := range methodNames {
		if equalFold(name, s) {
			return Method(i), true
		}
	}
	return 0, false
}

// String returns the name in the spelling of the signmethod parameter.
func (m Method) String() string {
	if int(m) < methods {
		return methodNames[m]
	}
	return "unknown"
}

// Size is the length of the code in bytes.
func (m Method) Size() int { return methodSizes[m] }

// equalFold compares with a text in lower-case ASCII.
func equalFold[T string | []byte](name T, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := range len(lower) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
