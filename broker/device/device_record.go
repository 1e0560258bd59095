package device

import "encoding/binary"

// The body of a device's record, in memory and in the log: the secret, when the device was made, and fields.
// What changes at a login is not in it, but in the state beside it.
//
//	secret   text
//	created  varint, milliseconds since 1970
//	fields   nickname, tags, tokens, certificate
const (
	tagNickname = 1
	tagTag      = 2 // text key, text value; sorted by key
	tagToken    = 3 // text client id, text token; in the order in which they were given

	tagCertificate = 4 // a Fingerprint
)

// body is a device's record before it is written.
type body struct {
	secret   string
	created  int64
	nickname string
	tags     []Tag
	tokens   []Token

	certificate string // empty: none
}

// Tag is a label that a device, or somebody for it, has put on it.
type Tag struct{ Key, Value string }

// Token is what a physical device logs in with that registered under a name that was not registered before.
type Token struct{ ClientID, Token string }

func (b *body) appendTo(dst []byte) []byte {
	dst = appendText(dst, b.secret)
	dst = binary.AppendUvarint(dst, uint64(b.created))
	dst = appendField(dst, tagNickname, b.nickname)
	for _, t := range b.tags {
		dst = appendField(dst, tagTag, appendText(appendText(nil, t.Key), t.Value))
	}
	for _, t := range b.tokens {
		dst = appendField(dst, tagToken, appendText(appendText(nil, t.ClientID), t.Token))
	}
	return appendField(dst, tagCertificate, b.certificate)
}

// readBody reads a record of this registry. ok is false if it is damaged.
func readBody(record []byte) (b body, ok bool) {
	c := cursor{b: record}
	b.secret = string(c.text())
	b.created = int64(c.number())
	for {
		tag, value := c.field()
		switch tag {
		case tagEnd:
			return b, !c.bad
		case tagNickname:
			b.nickname = string(value)
		case tagTag:
			key, text := pair(&c, value)
			b.tags = append(b.tags, Tag{string(key), string(text)})
		case tagToken:
			id, token := pair(&c, value)
			b.tokens = append(b.tokens, Token{string(id), string(token)})
		case tagCertificate:
			b.certificate = string(value)
		}
	}
}

// validBody reports whether readBody understands a record.
func validBody(record []byte) bool {
	c := cursor{b: record}
	c.text()
	c.number()
	for {
		switch tag, value := c.field(); tag {
		case tagEnd:
			return !c.bad
		case tagTag, tagToken:
			pair(&c, value)
		}
	}
}

// pair reads a field's value as two texts.
func pair(c *cursor, value []byte) (first, second []byte) {
	inner := cursor{b: value}
	first, second = inner.text(), inner.text()
	if inner.bad {
		c.fail()
	}
	return first, second
}

// A device's state is one word: when it was first seen, in milliseconds since 1970 (0: never), and whether it
// is disabled.
const stateDisabled = 1 << 63

func activated(state uint64) int64 { return int64(state &^ stateDisabled) }
