package packet

// ReturnCode is the answer in CONNACK (MQTT 3.1.1 section 3.2.2.3).
type ReturnCode byte

const (
	Accepted             ReturnCode = 0
	RefusedProtocolLevel ReturnCode = 1
	RefusedIdentifier    ReturnCode = 2
	RefusedUnavailable   ReturnCode = 3
	RefusedCredentials   ReturnCode = 4 // bad user name or password
	RefusedNotAuthorized ReturnCode = 5
)

var returnCodeTexts = [...]string{
	"accepted",
	"unacceptable protocol level",
	"identifier rejected",
	"server unavailable",
	"bad user name or password",
	"not authorized",
}

// String returns the standard's words for the code.
func (c ReturnCode) String() string {
	if int(c) < len(returnCodeTexts) {
		return returnCodeTexts[c]
	}
	return "reserved return code"
}

// Connack is the CONNACK packet (MQTT 3.1.1 section 3.2). It holds no views.
type Connack struct {
	// SessionPresent is 3.1.1 only: a 3.1 client does not know the bit, so a
	// server leaves it false, and Decode with Limits.Level 3 does not look at it.
	SessionPresent bool
	Code           ReturnCode
}

// Decode reads the frame into c and overwrites all of it; on an error c is zero.
func (c *Connack) Decode(f Frame, lim *Limits) error {
	*c = Connack{}
	lim = orStandard(lim)
	if err := expect(f, TypeConnack, lim); err != nil {
		return err
	}
	flags, code := f.Body()[0], ReturnCode(f.Body()[1])
	if lim.Level == Level31 {
		flags = 0
	}
	if flags > 1 {
		return fail(f, 0, RuleConnackValue, "acknowledge flags", 1, int(flags))
	}
	if code > RefusedNotAuthorized {
		return fail(f, 1, RuleConnackValue, "return code", int(RefusedNotAuthorized), int(code))
	}
	if code != Accepted && flags != 0 { // MQTT-3.2.2-4
		return fail(f, 0, RuleSessionPresent, "acknowledge flags", 0, int(flags))
	}
	*c = Connack{SessionPresent: flags == 1, Code: code}
	return nil
}

// Check reports why c is not a legal packet under lim (nil: the standard
// alone), as its receiver would judge it.
func (c *Connack) Check(lim *Limits) error {
	return recheck(c.AppendTo(nil), TypeConnack, lim, func(f Frame, lim *Limits) error {
		return new(Connack).Decode(f, lim)
	})
}

// Size returns 4, the number of bytes that AppendTo appends.
func (c *Connack) Size() int { return 4 }

// AppendTo appends the encoded packet to dst and returns the longer slice.
func (c *Connack) AppendTo(dst []byte) []byte {
	var flags byte
	if c.SessionPresent {
		flags = 1
	}
	return append(dst, byte(TypeConnack)<<4, 2, flags, byte(c.Code))
}
