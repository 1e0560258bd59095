package brokertest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Scripts runs every script in testdata/*.txt as a test of its own. A script is a conversation: what is asked or
// happens, a line each, and below it what comes of it, in lines that begin with "< " or "! ". start begins a
// conversation and returns what carries out a line and says what came of it. If update is set, that is written
// into the scripts, otherwise it is compared with them.
func Scripts(t *testing.T, update bool, start func(*testing.T) func(line string) []string) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { script(t, file, update, start(t)) })
	}
}

func script(t *testing.T, file string, update bool, carryOut func(line string) []string) {
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var after bytes.Buffer
	for _, line := range strings.Split(strings.TrimSuffix(string(before), "\n"), "\n") {
		if strings.HasPrefix(line, "< ") || strings.HasPrefix(line, "! ") {
			continue
		}
		fmt.Fprintln(&after, line)
		for _, l := range carryOut(line) {
			fmt.Fprintln(&after, l)
		}
	}
	if update {
		if err := os.WriteFile(file, after.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, got := strings.Split(string(before), "\n"), strings.Split(after.String(), "\n")
	for i := range max(len(want), len(got)) {
		w, g := "", ""
		if i < len(want) {
			w = want[i]
		}
		if i < len(got) {
			g = got[i]
		}
		if w != g {
			t.Fatalf("line %d:\ngot  %s\nwant %s", i+1, g, w)
		}
	}
}
