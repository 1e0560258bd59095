package model_test

import (
	"testing"

	"sampan/fuzz/model"
	"sampan/fuzz/script"
	"sampan/packet"
)

// talk is a conversation with a general broker, told to the model.
type talk struct {
	t *testing.T
	m *model.Model
}

func begin(t *testing.T, rules model.Rules) talk { return talk{t, model.New(rules)} }

// send has clients send what lines of a script say.
func (k talk) send(lines string) {
	k.t.Helper()
	s, err := script.Parse("profile standard\n" + lines)
	if err != nil {
		k.t.Fatal(err)
	}
	for _, st := range s.Steps {
		if st.Kind == script.Cut {
			k.m.Cut(st.Conn)
		} else {
			k.m.Send(st.Conn, st.Raw)
		}
	}
}

// hear has the broker send packets, which must be in order, or break the rule.
func (k talk) hear(i int, rule string, packets ...[]byte) {
	k.t.Helper()
	for _, raw := range packets {
		_, dev := k.m.Observe(i, raw)
		k.is(dev, rule)
	}
}

func (k talk) is(dev *model.Deviation, rule string) {
	k.t.Helper()
	switch {
	case dev == nil && rule != "":
		k.t.Errorf("no deviation, want one of %s", rule)
	case dev != nil && dev.Rule != rule:
		k.t.Errorf("%v\nwant a deviation of %q", dev, rule)
	}
}

func connack() []byte { return (&packet.Connack{}).AppendTo(nil) }

func suback(id uint16, codes ...byte) []byte {
	return (&packet.Suback{ID: id, Codes: codes}).AppendTo(nil)
}

func message(topic, payload string, qos byte, id uint16, retain bool) []byte {
	return (&packet.Publish{Topic: []byte(topic), Payload: []byte(payload), QoS: qos, ID: id, Retain: retain}).AppendTo(nil)
}

const ends = "A connect alice keepalive 60\nB connect bob keepalive 60\n"

// MQTT-3.8.4-6: a broker may grant less than was asked for, and then delivers accordingly.
func TestLessMayBeGranted(t *testing.T) {
	for _, c := range []struct {
		granted byte
		comes   []byte
		rule    string
	}{
		{2, message("a", "m1", 2, 1, false), ""},
		{2, message("a", "m1", 1, 1, false), "MQTT-3.3.5-1"},
		{1, message("a", "m1", 1, 1, false), ""},
		{1, message("a", "m1", 2, 1, false), "MQTT-3.8.4-6"},
		{0, message("a", "m1", 0, 0, false), ""},
		{packet.SubackFailure, message("a", "m1", 0, 0, false), "MQTT-3.3.2-3"},
	} {
		k := begin(t, model.Standard())
		k.send(ends)
		k.hear(0, "", connack())
		k.hear(1, "", connack())
		k.send("A subscribe 1 a q2\n")
		k.hear(0, "", suback(1, c.granted))
		k.send("B publish a q2 id 7 \"m1\"\nB pubrel 7\n")
		if c.granted == packet.SubackFailure {
			k.is(k.m.Missing(0), "")
		} else {
			k.is(k.m.Missing(0), "MQTT-4.5.0-1")
		}
		k.hear(0, c.rule, c.comes)
	}
	k := begin(t, model.Standard())
	k.send(ends + "A subscribe 1 a q0\n")
	k.hear(0, "", connack())
	k.hear(0, "MQTT-3.8.4-6", suback(1, 1))
	k = begin(t, model.Open())
	k.send(ends + "A subscribe 1 a q1\n")
	k.hear(0, "", connack())
	k.hear(0, "MQTT-3.9.3-1", suback(1, 0)) // which says what it grants
}

// What comes before the SUBACK may be of the lower QoS, too, and what is not granted at all need not come.
func TestMessagesBeforeTheSuback(t *testing.T) {
	for _, granted := range []byte{1, packet.SubackFailure} {
		k := begin(t, model.Standard())
		k.send("B connect bob keepalive 60\nB publish a q1 id 7 retain \"m1\"\nB publish b q1 id 8 retain \"m2\"\nA connect alice keepalive 60\n")
		k.hear(0, "", connack())
		k.send("A subscribe 1 a q1 b q1\n")
		k.hear(0, "", message("a", "m1", 0, 0, true), suback(1, 0, granted))
		want := "MQTT-3.3.1-6"
		if granted == packet.SubackFailure {
			want = ""
		}
		k.is(k.m.Missing(0), want)
	}
}

// MQTT-3.3.1-7: a retained message of QoS 0 may be gone; those of others may not.
func TestRetainedMessagesOfQoS0MayBeGone(t *testing.T) {
	for qos, rule := range map[string]string{"q0": "", "q1 id 3": "MQTT-3.3.1-6"} {
		for _, comes := range []bool{false, true} {
			k := begin(t, model.Standard())
			k.send(ends + "B publish a " + qos + " retain \"m1\"\n")
			k.hear(0, "", connack())
			k.send("A subscribe 1 a q0\n")
			k.hear(0, "", suback(1, 0))
			if comes {
				k.hear(0, "", message("a", "m1", 0, 0, true))
				k.is(k.m.Missing(0), "")
			} else {
				k.is(k.m.Missing(0), rule)
			}
		}
	}
}

// Section 3.14.4: behind DISCONNECT a broker should close, and one that says so does.
func TestClosingBehindDisconnect(t *testing.T) {
	for rule, rules := range map[string]model.Rules{"": model.Standard(), "IOT-DISCONNECT": model.Open()} {
		k := begin(t, rules)
		k.send("A connect alice keepalive 60\n")
		k.hear(0, "", connack())
		k.send("A disconnect\n")
		k.is(k.m.Missing(0), rule)
		k.is(k.m.Closed(0), "")
		k.is(k.m.Missing(0), "")
	}
}

// MQTT-3.1.2-8, MQTT-3.14.4-3: a Will that does not come, and one that comes in spite of DISCONNECT.
func TestWills(t *testing.T) {
	k := begin(t, model.Standard())
	k.send("A connect alice keepalive 60 will a q0 \"w\"\nB connect bob keepalive 60\n")
	k.hear(1, "", connack())
	k.send("B subscribe 1 a q0\n")
	k.hear(1, "", suback(1, 0))
	k.send("A cut\n")
	k.is(k.m.Missing(1), "MQTT-3.1.2-8")
	k.hear(1, "", message("a", "w", 0, 0, false))
	k.send("A connect alice keepalive 60 will a q0 \"v\"\nA disconnect\n")
	k.is(k.m.Missing(1), "")
	k.hear(1, "MQTT-3.14.4-3", message("a", "v", 0, 0, false))
}

// MQTT-4.7.2-1: what a wildcard must not match is told by that statement.
func TestWildcardsBeforeDollar(t *testing.T) {
	for filter, rule := range map[string]string{"#": "MQTT-4.7.2-1", "+/b": "MQTT-4.7.2-1", "+": "MQTT-3.3.2-3", "$s/#": ""} {
		k := begin(t, model.Standard())
		k.send(ends + "A subscribe 1 " + filter + " q0\n")
		k.hear(0, "", connack(), suback(1, 0))
		k.send("B publish $s/b q0 \"m1\"\n")
		k.hear(0, rule, message("$s/b", "m1", 0, 0, false))
	}
}

// A broker may close a connection for a message to a topic of its own, but not when it has gone on with it.
func TestWhatABrokerMayCloseFor(t *testing.T) {
	for _, goesOn := range []bool{false, true} {
		k := begin(t, model.Standard())
		k.send("A connect alice keepalive 60\n")
		k.hear(0, "", connack())
		k.send("A ping\nA publish $s q0 \"m1\"\nA ping\n")
		k.hear(0, "", packet.AppendPingresp(nil))
		rule := ""
		if goesOn {
			k.hear(0, "", packet.AppendPingresp(nil))
			rule = "IOT-STAYS"
		}
		k.is(k.m.Closed(0), rule)
	}
}

// MQTT-3.1.2-2, MQTT-3.1.3-8: what is refused is told so; only a broker that does not know the protocol's name, or is
// one of MQTT 3.1, may close at once.
func TestRefusalsAreTold(t *testing.T) {
	of := func(name string, level, flags byte, id string) []byte {
		b := append([]byte{0, byte(len(name))}, name...)
		b = append(b, level, flags, 0, 60, 0, byte(len(id)))
		b = append(b, id...)
		return append([]byte{0x10, byte(len(b))}, b...)
	}
	for _, c := range []struct {
		raw  []byte
		rule string
	}{
		{of("MQTT", 6, 2, "a"), "MQTT-3.1.2-2"},
		{of("MQTT", 4, 0, ""), "MQTT-3.1.3-8"},
		{of("MQTT", 3, 2, "a"), ""},
		{of("MQIsdp", 4, 2, "a"), ""},
	} {
		k := begin(t, model.Standard())
		k.m.Send(0, c.raw)
		k.is(k.m.Closed(0), "")
		k.is(k.m.Missing(0), c.rule)
	}
}
