package script

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"sampan/packet"
)

// lenient decodes what a script may contain, legal or not.
var lenient = &packet.Limits{Level: packet.Level311}

// PacketText writes a packet as a line does, or as hexadecimal bytes if no line would bring back the same
// bytes.
func PacketText(raw []byte) string {
	if text := describe(raw); text != "" {
		if again, err := parsePacket(fields(text)); err == nil && bytes.Equal(again, raw) {
			return text
		}
	}
	return fmt.Sprintf("raw % x", raw)
}

func describe(raw []byte) string {
	f, n, _, err := packet.Next(raw, lenient)
	if err != nil || n != len(raw) {
		return ""
	}
	var b strings.Builder
	add := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	switch f.Type() {
	case packet.TypeConnect:
		var p packet.Connect
		if p.Decode(f, lenient) != nil {
			return ""
		}
		add("connect %s", word(p.ClientID))
		if p.CleanSession {
			add(" clean")
		}
		add(" keepalive %d", p.KeepAlive)
		if p.Level == packet.Level31 {
			add(" level 3")
		}
		if p.Will {
			add(" will %s q%d", word(p.WillTopic), p.WillQoS)
			if p.WillRetain {
				add(" retain")
			}
			add(" %q", p.WillMessage)
		}
		if p.HasUsername {
			add(" user %s", word(p.Username))
		}
		if p.HasPassword {
			add(" pass %s", word(p.Password))
		}
	case packet.TypePublish:
		var p packet.Publish
		if p.Decode(f, lenient) != nil {
			return ""
		}
		add("publish %s q%d", word(p.Topic), p.QoS)
		if p.QoS > 0 {
			add(" id %d", p.ID)
		}
		if p.Dup {
			add(" dup")
		}
		if p.Retain {
			add(" retain")
		}
		add(" %q", p.Payload)
	case packet.TypeSubscribe:
		var p packet.Subscribe
		if p.Decode(f, lenient) != nil {
			return ""
		}
		add("subscribe %d", p.ID)
		for filter, qos := range p.All() {
			add(" %s q%d", word(filter), qos)
		}
	case packet.TypeUnsubscribe:
		var p packet.Unsubscribe
		if p.Decode(f, lenient) != nil {
			return ""
		}
		add("unsubscribe %d", p.ID)
		for filter := range p.All() {
			add(" %s", word(filter))
		}
	case packet.TypePuback, packet.TypePubrec, packet.TypePubrel, packet.TypePubcomp:
		var p packet.Ack
		if p.Decode(f, lenient) != nil {
			return ""
		}
		add("%s %d", strings.ToLower(f.Type().String()), p.ID)
	case packet.TypePingreq:
		add("ping")
	case packet.TypeDisconnect:
		add("disconnect")
	}
	return b.String()
}

// word quotes what is not plain.
func word(p []byte) string {
	plain := len(p) > 0
	for _, c := range p {
		plain = plain && c > ' ' && c < 0x7f && c != '"' && c != '\\'
	}
	if plain {
		return string(p)
	}
	return strconv.Quote(string(p))
}

// fields cuts a line into words; quoted ones keep their quotes.
func fields(line string) (words []string) {
	for line = strings.TrimLeft(line, " \t"); line != ""; line = strings.TrimLeft(line, " \t") {
		if line[0] == '"' {
			if q, err := strconv.QuotedPrefix(line); err == nil {
				words, line = append(words, q), line[len(q):]
				continue
			}
		}
		end := strings.IndexAny(line, " \t")
		if end < 0 {
			end = len(line)
		}
		words, line = append(words, line[:end]), line[end:]
	}
	return words
}

var errWords = errors.New("a word is missing or not understood")

// reader goes through the words of a line. The first mistake stays.
type reader struct {
	words []string
	err   error
}

func (r *reader) word() string {
	if len(r.words) == 0 {
		r.err = errWords
		return ""
	}
	w := r.words[0]
	r.words = r.words[1:]
	if w[0] == '"' {
		s, err := strconv.Unquote(w)
		if err != nil {
			r.err = err
		}
		return s
	}
	return w
}

// is takes the next word if it is this one.
func (r *reader) is(w string) bool {
	if len(r.words) > 0 && r.words[0] == w {
		r.words = r.words[1:]
		return true
	}
	return false
}

func (r *reader) number(most int) int {
	n, err := strconv.Atoi(r.word())
	if err != nil || n < 0 || n > most {
		r.err = errWords
	}
	return n
}

func (r *reader) qos() byte {
	w := r.word()
	if len(w) != 2 || w[0] != 'q' || w[1] < '0' || w[1] > '3' {
		r.err = errWords
		return 0
	}
	return w[1] - '0'
}

var ackTypes = map[string]packet.Type{
	"puback": packet.TypePuback, "pubrec": packet.TypePubrec,
	"pubrel": packet.TypePubrel, "pubcomp": packet.TypePubcomp,
}

// parsePacket is PacketText the other way round.
func parsePacket(words []string) ([]byte, error) {
	r := &reader{words: words}
	var raw []byte
	switch verb := r.word(); verb {
	case "connect":
		p := packet.Connect{Level: packet.Level311, ClientID: []byte(r.word())}
		p.CleanSession = r.is("clean")
		if r.is("keepalive") {
			p.KeepAlive = uint16(r.number(65535))
		}
		if r.is("level") {
			p.Level = byte(r.number(255))
		}
		if p.Will = r.is("will"); p.Will {
			p.WillTopic, p.WillQoS = []byte(r.word()), r.qos()
			p.WillRetain = r.is("retain")
			p.WillMessage = []byte(r.word())
		}
		if p.HasUsername = r.is("user"); p.HasUsername {
			p.Username = []byte(r.word())
		}
		if p.HasPassword = r.is("pass"); p.HasPassword {
			p.Password = []byte(r.word())
		}
		raw = p.AppendTo(nil)
	case "publish":
		p := packet.Publish{Topic: []byte(r.word()), QoS: r.qos()}
		if r.is("id") {
			p.ID = uint16(r.number(65535))
		}
		p.Dup, p.Retain = r.is("dup"), r.is("retain")
		p.Payload = []byte(r.word())
		raw = p.AppendTo(nil)
	case "subscribe":
		p := packet.Subscribe{ID: uint16(r.number(65535))}
		for len(r.words) > 0 && r.err == nil {
			p.Add([]byte(r.word()), r.qos())
		}
		raw = p.AppendTo(nil)
	case "unsubscribe":
		p := packet.Unsubscribe{ID: uint16(r.number(65535))}
		for len(r.words) > 0 && r.err == nil {
			p.Add([]byte(r.word()))
		}
		raw = p.AppendTo(nil)
	case "puback", "pubrec", "pubrel", "pubcomp":
		p := packet.Ack{Type: ackTypes[verb], ID: uint16(r.number(65535))}
		raw = p.AppendTo(nil)
	case "ping":
		raw = packet.AppendPingreq(nil)
	case "disconnect":
		raw = packet.AppendDisconnect(nil)
	case "raw":
		for len(r.words) > 0 && r.err == nil {
			b, err := strconv.ParseUint(r.word(), 16, 8)
			if err != nil {
				r.err = err
			}
			raw = append(raw, byte(b))
		}
	default:
		return nil, fmt.Errorf("no such packet: %q", verb)
	}
	if len(r.words) > 0 && r.err == nil {
		r.err = fmt.Errorf("not understood: %q", r.words[0])
	}
	if len(raw) == 0 && r.err == nil {
		r.err = errors.New("a packet without bytes")
	}
	return raw, r.err
}
