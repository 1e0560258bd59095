package model_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sampan/packet"
)

var statement = regexp.MustCompile(`\b(MQTT-\d+\.\d+\.\d+-\d+|IOT-[A-Z0-9-]+)`)

// Every statement that the model names exists: it is the standard's, whose numbers are those of
// docs/conformance.md, or a rule of package packet, or one of statements.go. And each of the latter is used.
func TestRulesNameStatementsThatExist(t *testing.T) {
	known := make(map[string]bool)
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "conformance.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range statement.FindAllString(string(page), -1) {
		known[id] = true
	}
	own, err := os.ReadFile("statements.go")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)^\s*(?:const )?(rule\w+)\s*=\s*"([^"]+)"`).FindAllStringSubmatch(string(own), -1)
	for _, n := range names {
		known[n[2]] = true
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	code := ""
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "statements.go" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code += string(text)
		for _, id := range statement.FindAllString(string(text), -1) {
			if !known[id] && packet.Rule(id).Text() == "" {
				t.Errorf("%s: there is no statement %s", file, id)
			}
		}
		for _, line := range regexp.MustCompile(`rule: *"[^"\n]*"|e\.rule = "[^"\n]*"|bad\("[^"\n]*"`).FindAllString(string(text), -1) {
			id := line[strings.Index(line, `"`)+1:]
			id = strings.TrimSuffix(id, `"`)
			if !known[id] && packet.Rule(id).Text() == "" {
				t.Errorf("%s: %s names no statement", file, line)
			}
		}
	}
	if len(names) < 6 {
		t.Errorf("only %d rules were read from statements.go", len(names))
	}
	for _, n := range names {
		if !strings.Contains(code, n[1]) {
			t.Errorf("%s is not used", n[1])
		}
	}
}
