package packet

import "math/bits"

const (
	ones  = 0x0101010101010101
	lows  = 0x7f * ones
	highs = 0x80 * ones
)

// load reads eight bytes of b at i. The compiler makes one load of it.
func load(b []byte, i int) uint64 {
	c := b[i : i+8 : i+8]
	return uint64(c[0]) | uint64(c[1])<<8 | uint64(c[2])<<16 | uint64(c[3])<<24 |
		uint64(c[4])<<32 | uint64(c[5])<<40 | uint64(c[6])<<48 | uint64(c[7])<<56
}

// scan looks at s once, eight bytes at a time, and counts its separators. odd
// says that there is a byte beyond ASCII or U+0000, so that the text needs a
// closer look; wild, that there is a + or #.
//
// A byte v of 7 bits is 0 exactly if v + 0x7f has its top bit clear, and the
// eight sums of a word never carry into each other. + (0x2b) and # (0x23) differ
// in one bit, so one comparison finds both.
func scan(s []byte) (slashes int, odd, wild bool) {
	var o, p uint64
	for len(s) > 0 {
		var w uint64 = ones * 'x' // filler that is nothing special
		if len(s) >= 8 {
			w = load(s, 0)
			s = s[8:]
		} else {
			for _, c := range s {
				w = w<<8 | uint64(c)
			}
			s = nil
		}
		l := w & lows
		o |= w | ^(l + lows)
		p |= ^((l&^(8*ones) ^ '#'*ones) + lows) &^ w
		slashes += bits.OnesCount64(^((l ^ '/'*ones) + lows) &^ w & highs)
	}
	return slashes, o&highs != 0, p&highs != 0
}

// plainSlashes is scan for the hot path. It counts the separators in s, of 8 to
// 255 bytes, if s is ASCII without U+0000 and wildcards, and else returns -1.
//
// Only # ' + and / are 0x23 once bits 2 and 3 are masked off; bit 2 tells # and +
// from the others, bits 2 and 3 together are /. Slashes are counted in each byte
// of a word and added up at the end, where bad is looked at, too. The last word
// overlaps the one before.
func plainSlashes(s []byte) int {
	var bad, count uint64
	last := len(s) - 8
	i := 0
	for ; i < last; i += 8 {
		w := load(s, i)
		four := ^((w&^(0x0c*ones) ^ 0x23*ones) + lows)
		bad |= w | ^(w + lows) | four&^(w<<5)
		count += four & (w << 5) & (w << 4) & highs >> 7
	}
	w := load(s, last)
	four := ^((w&^(0x0c*ones) ^ 0x23*ones) + lows)
	bad |= w | ^(w + lows) | four&^(w<<5)
	count += four & (w << 5) & (w << 4) & highs >> 7 >> (uint(i-last) * 8 & 63)
	if bad&highs != 0 {
		return -1
	}
	return int(count * ones >> 56)
}

// ValidTopicName reports why topic is not a topic name under lim (nil: the
// standard alone): it is empty, too long, not UTF-8, contains U+0000 or a
// wildcard, or has too many levels. The error is an *Error with offsets into
// topic; nil means that PUBLISH may carry it.
func ValidTopicName(topic []byte, lim *Limits) error {
	if e := checkName(topic, orStandard(lim)); e != nil {
		return e
	}
	return nil
}

func checkName(topic []byte, lim *Limits) *Error {
	if e := checkLength(topic); e != nil {
		return e
	}
	slashes, odd, wild := scan(topic)
	if odd {
		if rule, at := badText(topic); rule != "" {
			return &Error{Rule: rule, Offset: at, Value: int(topic[at])}
		}
	}
	if wild {
		for at, c := range topic {
			if c == '+' || c == '#' { // MQTT-4.7.1-1
				return &Error{Rule: RuleTopicWildcard, Offset: at, Value: int(c)}
			}
		}
	}
	return checkQuantities(topic, slashes, lim)
}

// ValidTopicFilter reports why filter is not a topic filter under lim (nil: the
// standard alone), like ValidTopicName. Of its errors, those about the limits
// are not fatal: the filter is answered with SubackFailure.
func ValidTopicFilter(filter []byte, lim *Limits) error {
	slashes, e := checkFilter(filter)
	if e != nil {
		return e
	}
	if e := checkQuantities(filter, slashes, orStandard(lim)); e != nil {
		e.scope = scopeFilter
		return e
	}
	return nil
}

// checkFilter judges a filter by the standard alone, and counts its slashes.
func checkFilter(filter []byte) (slashes int, e *Error) {
	if e := checkLength(filter); e != nil {
		return 0, e
	}
	slashes, odd, wild := scan(filter)
	if odd {
		if rule, at := badText(filter); rule != "" {
			return 0, &Error{Rule: rule, Offset: at, Value: int(filter[at])}
		}
	}
	if wild {
		for at, c := range filter {
			if c != '+' && c != '#' {
				continue
			}
			begins := at == 0 || filter[at-1] == '/'
			ends := at == len(filter)-1
			if c == '#' && !(begins && ends) { // MQTT-4.7.1-2
				return 0, &Error{Rule: RuleHash, Offset: at, Value: int(c)}
			}
			if c == '+' && !(begins && (ends || filter[at+1] == '/')) { // MQTT-4.7.1-3
				return 0, &Error{Rule: RulePlus, Offset: at, Value: int(c)}
			}
		}
	}
	return slashes, nil
}

// checkLength applies what holds for names and filters alike.
func checkLength(topic []byte) *Error {
	if len(topic) == 0 { // MQTT-4.7.3-1
		return &Error{Rule: RuleTopicEmpty}
	}
	if len(topic) > maxText { // MQTT-4.7.3-3
		return &Error{Rule: RuleTopicTooLong, Limit: maxText, Value: len(topic)}
	}
	return nil
}

// checkQuantities applies the limits to a topic that is otherwise good.
func checkQuantities(topic []byte, slashes int, lim *Limits) *Error {
	if lim.Topic > 0 && len(topic) > lim.Topic {
		return &Error{Rule: RuleLimitTopic, Limit: lim.Topic, Value: len(topic)}
	}
	if most := mostSlashes(topic, lim.Slashes); most > 0 && slashes > most {
		return &Error{Rule: RuleLimitTopicLevel, Limit: most, Value: slashes}
	}
	return nil
}

// systemSlashes is how many more slashes a system topic may have than others. The
// platform's own need them: /sys/{productKey}/{deviceName}/thing/event/property/pack/post
// has 8, a call of a service 9, and /ext/rrpc/{messageId} stands before a custom
// topic that may have 7 itself.
const systemSlashes = 3

// mostSlashes is the bound on the slashes of a topic name or filter, where bound is
// that of custom topics; 0 is none.
func mostSlashes(topic []byte, bound int) int {
	if bound > 0 && len(topic) > 5 && (string(topic[:5]) == "/sys/" || string(topic[:5]) == "/ext/") {
		return bound + systemSlashes
	}
	return bound
}
