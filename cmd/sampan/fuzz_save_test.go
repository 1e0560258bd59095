package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sampan/fuzz/network"
)

func TestFindingsAreKept(t *testing.T) {
	dir := t.TempDir()
	k := &keeper{dir: dir, options: " --profile standard"}
	open := network.Finding{Rule: "MQTT-3.3.1-2", Text: "the connection is still open", Script: "profile standard\nA cut\n"}
	other := open
	other.Script = "profile standard\nB cut\n"
	crash := network.Finding{Rule: "crash", Text: "EOF", Script: "profile standard\nA ping\n", Earlier: []string{"profile standard\nB ping\n"}}
	deaf := network.Finding{Rule: "deaf", Text: "others were harmed"}
	for range 2 { // a second run finds the same
		for _, f := range []network.Finding{open, other, crash, deaf} {
			k.keep(&f)
		}
	}
	if k.err != nil {
		t.Fatal(k.err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	var names []string
	for _, f := range files {
		names = append(names, filepath.Base(f))
	}
	const want = "crash-eof-before-1.script crash-eof.script mqtt-3.3.1-2-connection-still-open-2.script mqtt-3.3.1-2-connection-still-open.script"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	text, err := os.ReadFile(filepath.Join(dir, "mqtt-3.3.1-2-connection-still-open.script"))
	if err != nil || string(text) != "# [MQTT-3.3.1-2] the connection is still open\n# sampan fuzz --profile standard --replay FILE\n"+open.Script {
		t.Errorf("%v\n%s", err, text)
	}
}
