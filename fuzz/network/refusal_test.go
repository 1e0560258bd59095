package network

import (
	"context"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"sampan/fuzz/model"
	"sampan/fuzz/script"
	"sampan/packet"
)

// A refusal that has a code is told before the connection is closed: it is not enough to close.
func TestRefusalThatIsNotTold(t *testing.T) {
	silent := func(_ int, raw []byte) [][]byte {
		if typeOf(raw) == packet.TypeConnack && packet.ReturnCode(raw[3]) != packet.Accepted {
			return nil
		}
		return [][]byte{raw}
	}
	for _, c := range []struct{ rule, script string }{
		{"IOT-KEEP-ALIVE", "profile platform\nA connect alice clean keepalive 10 user u pass secret\n"},
		{"MQTT-3.1.2-2", "profile open\nA raw 10 11 00 04 4d 51 54 54 05 02 00 3c 00 05 61 6c 69 63 65\n"},
		{"MQTT-3.1.3-8", "profile standard\nA connect bob clean keepalive 60\nA publish a q0 \"m\"\nB raw 10 0c 00 04 4d 51 54 54 04 00 00 3c 00 00\n"},
	} {
		for name, spoil := range map[string]func(int, []byte) [][]byte{"": nil, c.rule: silent} {
			s := parse(t, c.script)
			b := &modelBroker{rules: s.Rules(), spoil: spoil}
			found, said := alone(t, b.start(t), s)
			rule := ""
			if found != nil {
				rule = found.Rule
			}
			if rule != name {
				t.Errorf("found %+v, want a deviation of %q\n%s", found, name, strings.Join(said, "\n"))
			}
		}
		s := parse(t, c.script)
		s.Steps = s.Steps[len(s.Steps)-1:] // the refusal alone
		found, said := alone(t, closing(t), s)
		if found == nil || found.Rule != c.rule {
			t.Errorf("of what closes at once found %+v, want a deviation of %q\n%s", found, c.rule, strings.Join(said, "\n"))
		}
	}
}

// alone carries out a script without the canaries, who are not let in by such brokers.
func alone(t *testing.T, dial Dialer, s *script.Script) (*Finding, []string) {
	r := (&Campaign{Dial: dial, Rules: s.Rules(), Patience: 5 * time.Second}).begin()
	return r.deviates(t.Context(), s), r.target.Said
}

// closing makes connections to what closes each at once, whatever is sent: some end with a reset, and some do not.
func closing(t *testing.T) Dialer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() { // ends with the listener
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			nc.Close()
		}
	}()
	return func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", ln.Addr().String())
	}
}

// A reset destroys what is on its way, so that a broker which closes with bytes unread may have sent its answer all the
// same. There are none behind a single packet.
func TestRefusalThatAResetMayHaveDestroyed(t *testing.T) {
	connect := (&packet.Connect{CleanSession: true, ClientID: []byte("a")}).AppendTo(nil)
	connect[8] = 5 // a level that is not known
	for _, c := range []struct {
		name   string
		raw    []byte
		end    error
		blamed bool
	}{
		{"closed behind it", connect, io.EOF, true},
		{"reset behind it", connect, syscall.ECONNRESET, true},
		{"closed with more unread", packet.AppendPingreq(connect[:len(connect):len(connect)]), io.EOF, true},
		{"reset with more unread", packet.AppendPingreq(connect[:len(connect):len(connect)]), syscall.ECONNRESET, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := model.New(model.Standard())
			m.Send(0, c.raw)
			a := newPipe(t)
			a.single = single(c.raw)
			target := &Target{}
			target.Begin(t.Context())
			target.conns[0] = a
			target.news <- arrival{i: 0, c: a, err: c.end}
			dev, err := target.collect(m)
			if err != nil || (dev != nil) != c.blamed || dev != nil && dev.Rule != "MQTT-3.1.2-2" {
				t.Error(dev, err)
			}
		})
	}
}

// What a message's receiver, or its sender, was owed when the connection ends it may not get any more.
func TestNobodyIsOwedAnythingBehindTheEndOfAConnection(t *testing.T) {
	mute := func(_ int, raw []byte) [][]byte {
		if typeOf(raw) == packet.TypePuback || typeOf(raw) == packet.TypePublish {
			return nil
		}
		return [][]byte{raw}
	}
	s := parse(t, `profile open
A connect alice clean keepalive 60
A subscribe 1 a q0
A publish a q0 "m"
& A publish a q1 id 1 "m"
& A raw 00 00
`)
	b := &modelBroker{rules: model.Open(), spoil: mute}
	if found, said := alone(t, b.start(t), s); found != nil {
		t.Errorf("found %+v\n%s", found, strings.Join(said, "\n"))
	}
}
