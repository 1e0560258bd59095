package network

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The scripts of what other brokers do, in the table of docs/fuzzing.md: all are there, and a broker that is in order
// is so on each.
func TestScriptsOfOtherBrokers(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "fuzzing.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| broker | statement | what it does | script |")
	table, _, _ = strings.Cut(table, "\n\n")
	named := make(map[string]bool)
	for line := range strings.Lines(table) {
		cells := strings.Split(line, " | ")
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[len(cells)-1], -1) {
			named[m[1]] = true
		}
	}
	paths, err := filepath.Glob(filepath.Join("..", "testdata", "findings", "*.script"))
	if err != nil || len(paths) == 0 || len(paths) != len(named) {
		t.Errorf("%d scripts, %d in the table, %v", len(paths), len(named), err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".script")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !named[name] {
				t.Error("no line of the table has it")
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s := parse(t, string(text))
			if found, said := alone(t, (&modelBroker{rules: s.Rules()}).start(t), s); found != nil {
				t.Errorf("[%s] %s, got %s, want %s\n%s", found.Rule, found.Text, found.Got, found.Want, strings.Join(said, "\n"))
			}
		})
	}
}
