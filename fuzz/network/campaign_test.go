package network

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"sampan/fuzz/model"
	"sampan/fuzz/script"
	"sampan/packet"
)

// typeOf is the type of a packet.
func typeOf(raw []byte) packet.Type { return packet.Type(raw[0] >> 4) }

// Each of these scripts is in order on a broker that is, and shows the mistake of one that is not, with the
// statement that it breaks.
func TestReplay(t *testing.T) {
	pubrels := 0
	for _, c := range []struct {
		name, script string
		wrong        *modelBroker
		rule         string
	}{
		{"a message that is sent again before PUBREL comes once [MQTT-4.3.3-2]", `profile standard
A connect alice keepalive 60
B connect bob clean keepalive 60
B subscribe 1 a q2
A hold
A publish a q2 id 6 "m5"
A cut
A connect alice keepalive 60
A publish a q2 id 6 dup "m5"
`, &modelBroker{spoil: func(_ int, raw []byte) [][]byte {
			if typeOf(raw) == packet.TypePublish {
				return [][]byte{raw, raw}
			}
			return [][]byte{raw}
		}}, "MQTT-3.3.5-1"},
		{"PUBREL that had no answer comes with the next connection [MQTT-4.4.0-1]", `profile standard
A connect alice keepalive 60
A subscribe 2 a q2
B connect bob clean keepalive 60
B publish a q2 id 4 "m4"
A hold
A ack 0
A cut
A connect alice keepalive 60
`, &modelBroker{spoil: func(_ int, raw []byte) [][]byte {
			if typeOf(raw) == packet.TypePubrel {
				if pubrels++; pubrels > 1 {
					return nil
				}
			}
			return [][]byte{raw}
		}}, "MQTT-4.4.0-1"},
		{"PUBREL after a new connection gets PUBCOMP [MQTT-4.3.3-2]", `profile standard
A connect alice keepalive 60
A hold
A publish a q2 id 6 "m3"
A cut
A connect alice keepalive 60
A pubrel 6
`, &modelBroker{spoil: func(_ int, raw []byte) [][]byte {
			if typeOf(raw) == packet.TypePubcomp {
				return nil
			}
			return [][]byte{raw}
		}}, "MQTT-4.3.3-2"},
		{"a keep-alive runs out after one and a half times its length [MQTT-3.1.2-24]", `profile standard
A connect alice clean keepalive 1 will a q0 "gone"
B connect bob clean keepalive 60
B subscribe 3 a q0
wait 1s
wait 2s
`, &modelBroker{alive: true}, "MQTT-3.1.2-24"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := parse(t, c.script)
			for _, b := range []*modelBroker{{}, c.wrong} {
				b.rules = model.Standard()
				if c.rule == "MQTT-3.1.2-24" && b.alive { // or the Will is what is missing first
					s.Steps[0].Raw = parse(t, "A connect alice clean keepalive 1\n").Steps[0].Raw
				}
				campaign := &Campaign{Dial: b.start(t), Rules: b.rules, Patience: 5 * time.Second}
				if b == c.wrong {
					campaign.Patience = time.Second
				}
				found, said, err := campaign.Replay(context.Background(), s)
				switch {
				case err != nil:
					t.Error(err)
				case b != c.wrong && found != nil:
					t.Errorf("[%s] %s, got %s, want %s\n%s", found.Rule, found.Text, found.Got, found.Want, strings.Join(said, "\n"))
				case b == c.wrong && (found == nil || found.Rule != c.rule):
					t.Errorf("found %+v, want a deviation of %s\n%s", found, c.rule, strings.Join(said, "\n"))
				}
			}
		})
	}
}

// A session and a retained message that were there before the first script are not its broker's mistakes.
func TestWhatWasThereBeforeIsNoDeviation(t *testing.T) {
	b := &modelBroker{rules: model.Standard()}
	dial := b.start(t)
	nc, err := dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	connect := packet.Connect{ClientID: []byte("alice"), KeepAlive: 60}
	retained := packet.Publish{Topic: []byte("a"), Payload: []byte("old"), Retain: true}
	if _, err := nc.Write(packet.AppendPingreq(retained.AppendTo(connect.AppendTo(nil)))); err != nil {
		t.Fatal(err)
	}
	c := &canary{nc: nc}
	for _, want := range []packet.Type{packet.TypeConnack, packet.TypePingresp} {
		if _, err := c.until(5*time.Second, want); err != nil {
			t.Fatal(err)
		}
	}
	nc.Write(packet.AppendDisconnect(nil))
	io.Copy(io.Discard, nc) // until the broker has closed
	nc.Close()
	s := parse(t, `profile standard
A connect alice keepalive 60
A subscribe 1 a q1
B connect bob clean keepalive 60
B publish a q0 retain "new"
`)
	campaign := &Campaign{Dial: dial, Rules: b.rules, Patience: 5 * time.Second}
	if found, said, err := campaign.Replay(t.Context(), s); found != nil || err != nil {
		if err != nil {
			t.Fatal(err)
		}
		t.Errorf("[%s] %s, got %s, want %s\n%s", found.Rule, found.Text, found.Got, found.Want, strings.Join(said, "\n"))
	}
}

func TestReplayWithRestart(t *testing.T) {
	s := parse(t, `profile standard
A connect alice keepalive 60
A subscribe 2 a q1
restart
B connect bob clean keepalive 60
B publish a q1 id 1 "m5"
A connect alice keepalive 60
`)
	for name, forgets := range map[string]bool{"sessions survive": false, "sessions are forgotten": true} {
		t.Run(name, func(t *testing.T) {
			b := &modelBroker{rules: model.Standard()}
			c := &Campaign{Dial: b.start(t), Rules: b.rules, Patience: 5 * time.Second, Restart: b.restart(forgets)}
			found, said, err := c.Replay(context.Background(), s)
			if err != nil {
				t.Fatal(err)
			}
			if forgets != (found != nil) || forgets && found.Rule != "MQTT-3.2.2-2" {
				t.Errorf("found %+v\n%s", found, strings.Join(said, "\n"))
			}
		})
	}
	b := &modelBroker{rules: model.Standard()}
	found, _, _ := (&Campaign{Dial: b.start(t), Rules: b.rules}).Replay(context.Background(), s)
	if found == nil || found.Text != ErrNoRestart.Error() {
		t.Errorf("without a way to restart it: %+v", found)
	}
}

// A campaign against the model finds nothing, whatever it makes scripts of.
func TestCampaignAgainstTheModel(t *testing.T) {
	scripts := 150
	if testing.Short() {
		scripts = 40
	}
	b := &modelBroker{rules: model.Standard()}
	c := &Campaign{Dial: b.start(t), Rules: b.rules, Patience: 5 * time.Second, Duration: 10 * time.Minute, Scripts: scripts, Seed: 7,
		Restart: b.restart(false)}
	report, err := c.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Deviations {
		t.Errorf("[%s] %s, got %s, want %s\n%s", f.Rule, f.Text, f.Got, f.Want, f.Script)
	}
	if report.Scripts != scripts || report.Effects < scripts/4 {
		t.Errorf("%d scripts, %d kinds of answers", report.Scripts, report.Effects)
	}
}

func TestCanariesNoticeThatOneClientHoldsUpOthers(t *testing.T) {
	for name, waits := range map[string]bool{"it does not": false, "it does": true} {
		t.Run(name, func(t *testing.T) {
			b := &modelBroker{rules: model.Standard(), waits: waits}
			c := &Campaign{Dial: b.start(t), Rules: b.rules, Patience: 5 * time.Second, Duration: time.Minute, Scripts: 1, Seed: 1}
			if waits {
				c.Patience = 500 * time.Millisecond
			}
			report, err := c.Run(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			deaf := len(report.Deviations) > 0 && report.Deviations[0].Rule == "deaf"
			if deaf != waits {
				t.Errorf("%+v", report)
			}
			if deaf && (report.Deviations[0].Script != "" || !strings.Contains(report.Deviations[0].Text, "read nothing from then on")) {
				t.Errorf("no script does it, so the text must say what was done: %+v", report.Deviations[0])
			}
		})
	}
}

// What another client gets while one that is cut off is still open, such as its Will, is not lost.
func TestCutLosesNothingOfOthers(t *testing.T) {
	a, b := newPipe(t), newPipe(t)
	target := &Target{}
	target.Begin(t.Context())
	target.conns[0], target.conns[1] = a, b
	m := model.New(model.Standard())
	m.Dial(0)
	m.Send(0, (&packet.Connect{Level: packet.Level311, CleanSession: true, ClientID: []byte("a")}).AppendTo(nil))
	target.news <- arrival{i: 0, c: a, raw: new(packet.Connack).AppendTo(nil)}
	target.news <- arrival{i: 1, c: b, err: io.EOF}
	if err := target.Cut(1); err != nil {
		t.Fatal(err)
	}
	if dev, err := target.collect(m); dev != nil || err != nil {
		t.Error(dev, err)
	}
}

// halfOpen is a connection of which one direction can be closed.
type halfOpen struct{ net.Conn }

func (halfOpen) CloseWrite() error { return nil }

func newPipe(t *testing.T) *conn {
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	return &conn{nc: halfOpen{near}}
}

// What is replayed needs no network to be understood.
func TestStepsThatNoNetworkHas(t *testing.T) {
	b := &modelBroker{rules: model.Standard()}
	dial := b.start(t)
	for step, want := range map[string]error{"A stall": ErrNoStall, "power cut": ErrNoPower, "store late": ErrNoStore,
		"host disconnect alice": ErrNoHost} {
		s := parse(t, "profile standard\nA connect alice clean keepalive 60\n"+step+"\n")
		found, _, _ := (&Campaign{Dial: dial, Rules: b.rules, Patience: 5 * time.Second}).Replay(context.Background(), s)
		if found == nil || found.Text != want.Error() {
			t.Errorf("%s: %+v", step, found)
		}
	}
	var _ script.Target = new(Target)
}
