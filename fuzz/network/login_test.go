package network

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"sampan/fuzz/model"
	"sampan/fuzz/script"
	"sampan/packet"
)

// aPassword is what a broker asks for in these tests.
const aPassword = "the user's own"

// guarded is a general broker that asks for it.
func guarded() model.Rules {
	r := model.Standard()
	r.Password = aPassword
	return r
}

// A broker that asks for a password is not blamed for it, whatever scripts are made of: those of the platform's
// profile have passwords of their own.
func TestCampaignAgainstABrokerThatAsksForAPassword(t *testing.T) {
	b := &modelBroker{rules: guarded()}
	c := &Campaign{Dial: b.start(t), Rules: model.Standard(), Patience: 5 * time.Second, Duration: 10 * time.Minute,
		Scripts: 60, Seed: 3, Username: "u", Password: aPassword}
	report, err := c.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Deviations {
		t.Errorf("[%s] %s, got %s, want %s\n%s", f.Rule, f.Text, f.Got, f.Want, f.Script)
	}
}

// What is reported does not have the user's password, and what replays it needs none.
func TestNoFindingHasThePassword(t *testing.T) {
	b := &modelBroker{rules: guarded(), spoil: func(_ int, raw []byte) [][]byte {
		if typeOf(raw) == packet.TypeUnsuback {
			return nil
		}
		return [][]byte{raw}
	}}
	c := &Campaign{Dial: b.start(t), Rules: model.Standard(), Patience: time.Second, Duration: 10 * time.Minute,
		Scripts: 1, Seed: 1, Username: "u", Password: aPassword}
	s := parse(t, "profile standard\nA connect alice clean keepalive 60 user me pass mine\nA unsubscribe 1 a\n")
	found, said, _ := c.Replay(context.Background(), s)
	if found == nil || found.Rule != "MQTT-3.10.4-4" {
		t.Fatalf("found %+v\n%s", found, strings.Join(said, "\n"))
	}
	if all := fmt.Sprintf("%+v %q", found, said); strings.Contains(all, aPassword) {
		t.Error(all)
	}
}

// Credentials go into the CONNECT that a connection begins with and change nothing else about it: what breaks a
// rule breaks the same one.
func TestCredentialsChangeNothingElse(t *testing.T) {
	l := login{"u", "p"}
	for from, to := range map[string]string{
		"connect alice keepalive 60":                                 "connect alice keepalive 60 user u pass p",
		"connect alice clean keepalive 10 will a q1 retain \"gone\"": "connect alice clean keepalive 10 will a q1 retain \"gone\" user u pass p",
		"connect alice clean keepalive 60 user me pass mine":         "connect alice clean keepalive 60 user u pass p",
		"connect alice clean keepalive 60 level 3":                   "connect alice clean keepalive 60 level 3 user u pass p",
		"publish a q0 \"m\"":                                         "publish a q0 \"m\"",
		"raw 10 0c 00 04 4d 51 54 54 05 02 00 3c 00 00":              "raw 10 0c 00 04 4d 51 54 54 05 02 00 3c 00 00",          // another level
		"raw 10 0f 00 04 4d 51 54 54 04 42 00 3c 00 00 00 01 78":     "raw 10 0f 00 04 4d 51 54 54 04 42 00 3c 00 00 00 01 78", // a password alone
		"raw 10 0c 00 04 4d 51 54 54 04 00 00 3c 00 00":              "raw 10 12 00 04 4d 51 54 54 04 c0 00 3c 00 00 00 01 75 00 01 70",
		"raw 10 0c 00 04 4d 51 54 54 04 02 00 3c 00 00 c0 00":        "raw 10 12 00 04 4d 51 54 54 04 c2 00 3c 00 00 00 01 75 00 01 70 c0 00",
	} {
		raw := parse(t, "A "+from+"\n").Steps[0].Raw
		got := l.into(raw)
		if text := script.PacketText(got); text != to {
			t.Errorf("%s\n got %s\nwant %s", from, text, to)
		}
		if before, after := model.Violates(raw), model.Violates(got); before != after {
			t.Errorf("%s: breaks %q, with credentials %q", from, before, after)
		}
		if none := (login{}).into(raw); !bytes.Equal(none, raw) {
			t.Errorf("%s: without credentials % x", from, none)
		}
	}
}

// The credentials that the platform's profile gives its clients mean something to no other broker.
func TestFitLeavesOutCredentialsThatNobodyAsksFor(t *testing.T) {
	const with, without = "A connect alice clean keepalive 60 user u pass secret", "A connect alice clean keepalive 60"
	for _, rules := range []model.Rules{model.Standard(), model.Open(), model.Platform()} {
		want := without
		if rules.Password != "" {
			want = with
		}
		k := &maker{rules: &rules}
		if got := k.fit(parse(t, "profile platform\n"+with+"\n")).Steps[0].String(); got != want {
			t.Errorf("%s: got %s, want %s", rules.Name, got, want)
		}
	}
}
