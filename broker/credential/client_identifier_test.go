package credential

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseReadsWhatClientsSend(t *testing.T) {
	type vector struct {
		Identifier    string
		ClientID      string
		SecureMode    int
		Method        string
		Timestamp     *string
		AuthType      string
		Random        string
		InstanceID    string
		Version       string
		Language      string
		CustomRRPC    bool
		AutoSubscribe bool
		Gateway       bool
		Error         string
	}
	for _, v := range vectors[vector](t, "identifiers.json") {
		c := ClientIdentifier{ClientID: []byte("left over"), CustomRRPC: true}
		err := c.Parse([]byte(v.Identifier))
		if v.Error != "" {
			var r *Refusal
			if !errors.As(err, &r) || r.Part != PartClientIdentifier || r.Code() != CodeIdentifier || !strings.Contains(err.Error(), v.Error) {
				t.Errorf("%q: error %v, want %s with %q", v.Identifier, err, PartClientIdentifier, v.Error)
			}
			if c.ClientID != nil || c.CustomRRPC {
				t.Errorf("%q: partial result %+v beside an error", v.Identifier, c)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", v.Identifier, err)
			continue
		}
		if v.AuthType == "" {
			v.AuthType = "secret"
		}
		got := []any{string(c.ClientID), int(c.SecureMode), c.Method.String(), c.AuthType.String(), string(c.Random), string(c.InstanceID), string(c.SDKVersion), string(c.Language), c.CustomRRPC, c.AutoSubscribe, c.Gateway}
		want := []any{v.ClientID, v.SecureMode, v.Method, v.AuthType, v.Random, v.InstanceID, v.Version, v.Language, v.CustomRRPC, v.AutoSubscribe, v.Gateway}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%q: got %v\nwant %v", v.Identifier, got, want)
				break
			}
		}
		if (c.Timestamp != nil) != (v.Timestamp != nil) || v.Timestamp != nil && string(c.Timestamp) != *v.Timestamp {
			t.Errorf("%q: timestamp %q, want %v", v.Identifier, c.Timestamp, v.Timestamp)
		}
	}
}

// Parameters mean the same in every order and with any unknown ones between them.
func TestParseDoesNotDependOnTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := []string{"securemode=3", "signmethod=hmacsha256", "timestamp=789", "ext=1", "_ss=1", "gw=1",
			"_v=1", "lan=C", "random=5", "instanceId=i"}
		for range rapid.IntRange(0, 5).Draw(t, "unknown") {
			items = append(items, rapid.StringMatching(`[a-z]{5}x=[ -+\--~]{0,8}`).Draw(t, "item"))
		}
		items = rapid.Permutation(items).Draw(t, "order")
		separator := rapid.SampledFrom([]string{",", " ,", ", ", ",,", "|,|"}).Draw(t, "separator")
		var c ClientIdentifier
		if err := c.Parse([]byte("id|" + strings.Join(items, separator) + "|")); err != nil {
			t.Fatal(err)
		}
		if string(c.ClientID) != "id" || c.SecureMode != ModeTCP || c.Method != HMACSHA256 || string(c.Timestamp) != "789" ||
			!c.CustomRRPC || !c.AutoSubscribe || !c.Gateway || string(c.SDKVersion) != "1" || string(c.Language) != "C" ||
			string(c.Random) != "5" || string(c.InstanceID) != "i" {
			t.Fatalf("%q: %+v", strings.Join(items, separator), c)
		}
	})
}

func TestSecureModes(t *testing.T) {
	want := map[SecureMode]string{
		-3: "-3 (unknown)", -2: "-2 (tls, not registered before)", -1: "-1 (tls after https authentication)",
		0: "0 (tcp after https authentication)", 2: "2 (tls)", 3: "3 (tcp)", 6: "6 (unknown)", 8: "8 (itls, chip)",
		9: "9 (unknown)", 127: "127 (unknown)", -128: "-128 (unknown)",
	}
	for mode, text := range want {
		if mode.String() != text {
			t.Errorf("%d: %q, want %q", int(mode), mode.String(), text)
		}
		if mode.Known() == strings.Contains(text, "unknown") {
			t.Errorf("%s: known %v", mode, mode.Known())
		}
	}
	for mode := SecureMode(-2); mode <= 8; mode++ {
		if mode.Encrypted() != strings.Contains(mode.String(), "tls") || mode.Chip() != strings.Contains(mode.String(), "chip") ||
			mode.Guider() != strings.Contains(mode.String(), "https") {
			t.Errorf("%s: encrypted %v, chip %v, guider %v", mode, mode.Encrypted(), mode.Chip(), mode.Guider())
		}
	}
}
