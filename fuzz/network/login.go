package network

import (
	"bytes"

	"sampan/fuzz/model"
	"sampan/packet"
)

// login is the user name and the password that a broker asks for; without a name there are none. They are put in
// where a CONNECT is sent: scripts, transcripts and findings never hold them, nor does the model.
type login struct{ username, password string }

// set gives them to a CONNECT, instead of those that it has.
func (l login) set(p *packet.Connect) {
	if l.username == "" {
		return
	}
	p.HasUsername, p.HasPassword = true, true
	p.Username, p.Password = []byte(l.username), []byte(l.password)
}

// into returns the first bytes of a connection with the credentials in the CONNECT that they begin with. One that
// breaks a rule goes out as it is, lest it break another; but who has no name must be told so [MQTT-3.1.3-8] by
// brokers that look at credentials first, too.
func (l login) into(raw []byte) []byte {
	if l.username == "" {
		return raw
	}
	if model.Violates(raw) != string(packet.RuleClientIDEmpty) {
		return rewrite(raw, l.set)
	}
	f, _, _, _ := packet.Next(raw, nil)
	legal := bytes.Clone(raw)
	legal[len(f.Raw)-len(f.Body())+len("\x00\x04MQTT\x04")] |= 0x02 // CleanSession, to be decoded
	return rewrite(legal, func(p *packet.Connect) {
		p.CleanSession = false
		l.set(p)
	})
}

// anonymous returns a packet without the credentials that it may have.
func anonymous(raw []byte) []byte {
	if p, ok := connectOf(raw); !ok || !p.HasUsername {
		return raw
	}
	return rewrite(raw, func(p *packet.Connect) {
		p.HasUsername, p.HasPassword, p.Username, p.Password = false, false, nil, nil
	})
}

// rewrite changes the CONNECT that bytes begin with, if it is a good one. What is behind it stays.
func rewrite(raw []byte, change func(*packet.Connect)) []byte {
	p, ok := connectOf(raw)
	if !ok {
		return raw
	}
	_, n, _, _ := packet.Next(raw, nil)
	change(&p)
	return append(p.AppendTo(nil), raw[n:]...)
}
