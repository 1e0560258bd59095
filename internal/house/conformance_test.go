package house

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/conformance.md anew")

const (
	conformancePage = "docs/conformance.md"
	statementList   = "internal/house/testdata/mqtt311-statements.tsv"
	vectorFolder    = "packet/testdata/vectors/"
)

// statement is a numbered statement of MQTT 3.1.1, in our own words.
type statement struct {
	id, section, text string
	binds             string // client, server or both
	profile           string // yes, part: ..., no: ..., embed: ...
}

// ours reports whether a broker has to show the statement by a test.
func (s statement) ours() bool {
	return s.binds != "client" && (strings.HasPrefix(s.profile, "yes") || strings.HasPrefix(s.profile, "part"))
}

func statements(t *testing.T) []statement {
	t.Helper()
	lines := strings.Split(strings.TrimRight(string(read(t, statementList)), "\n"), "\n")
	var all []statement
	for i, line := range lines[1:] {
		f := strings.Split(line, "\t")
		if len(f) != 5 || !statementID.MatchString(f[0]) {
			t.Fatalf("%s:%d: want five fields, the first a statement's identifier: %q", statementList, i+2, line)
		}
		all = append(all, statement{f[0], f[1], f[2], f[3], f[4]})
	}
	return all
}

var (
	statementID = regexp.MustCompile(`MQTT-\d+\.\d+\.\d+-\d+`)
	testFunc    = regexp.MustCompile(`^func (Test\w+)\(`)
)

// testsByStatement finds the tests that name a statement: in the comment above a test function, in its body,
// and in the files of vectors.
func testsByStatement(t *testing.T) map[string][]string {
	t.Helper()
	found := make(map[string]map[string]bool)
	note := func(id, test string) {
		if found[id] == nil {
			found[id] = make(map[string]bool)
		}
		found[id][test] = true
	}
	for _, name := range files(t) {
		switch {
		case strings.HasPrefix(name, "internal/house/"), strings.HasPrefix(name, "fuzz/network/"), strings.HasPrefix(name, "fuzz/model/"), strings.HasPrefix(name, "fuzz/script/"):
			// These tests name statements in order to look for them, or are about the model and not the broker.
		case strings.HasSuffix(name, "_test.go"):
			for test, ids := range namedIn(string(read(t, name))) {
				for id := range ids {
					note(id, filepath.Dir(name)+" "+test)
				}
			}
		case strings.HasPrefix(name, vectorFolder) && strings.HasSuffix(name, ".json"):
			var v struct{ Statements []string }
			if err := json.Unmarshal(read(t, name), &v); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, id := range v.Statements {
				note(id, "packet TestVectors, "+strings.TrimSuffix(filepath.Base(name), ".json"))
			}
		}
	}
	sorted := make(map[string][]string)
	for id, tests := range found {
		sorted[id] = slices.Sorted(maps.Keys(tests))
	}
	return sorted
}

// namedIn returns the statements that each test function of a source file names. A comment belongs to the
// function below it.
func namedIn(source string) map[string]map[string]bool {
	named := make(map[string]map[string]bool)
	var comment []string // identifiers in the comment that is being read
	test := ""           // the function that is being read
	note := func(ids []string) {
		if test == "" {
			return
		}
		if named[test] == nil {
			named[test] = make(map[string]bool)
		}
		for _, id := range ids {
			named[test][id] = true
		}
	}
	for line := range strings.Lines(source) {
		ids := statementID.FindAllString(line, -1)
		switch {
		case strings.HasPrefix(line, "//"):
			comment = append(comment, ids...)
			continue
		case strings.HasPrefix(line, "func "):
			test = ""
			if m := testFunc.FindStringSubmatch(line); m != nil {
				test = m[1]
			}
			note(comment)
		case strings.HasPrefix(line, "}"):
			test = ""
		}
		note(ids)
		comment = nil
	}
	return named
}

// mostTests is how many tests the page names for one statement.
const mostTests = 4

func conformance(all []statement, tests map[string][]string) []byte {
	var page bytes.Buffer
	shown := 0
	for _, s := range all {
		if len(tests[s.id]) > 0 {
			shown++
		}
	}
	fmt.Fprintf(&page, `# Conformance to MQTT 3.1.1

Each numbered statement of the standard, in our own words, and the tests that show it. A test counts if its
comment or its body names the statement; for the codec the files in `+"`%s`"+` count, too. The page is
made by `+"`go test ./internal/house -run Conformance -update`"+`; the same test without the flag fails when the page
is out of date, and when a statement that binds a broker has no test.

%d statements, %d of them shown by tests. "Part" and "no" name what the platform leaves out of the standard:
QoS 2, Will and retained messages.

| statement | binds | what it says | applies | shown by |
|---|---|---|---|---|
`, vectorFolder, len(all), shown)
	for _, s := range all {
		names := tests[s.id]
		by := strings.Join(names[:min(len(names), mostTests)], "<br>")
		if more := len(names) - mostTests; more > 0 {
			by += fmt.Sprintf("<br>and %d more", more)
		}
		if by == "" {
			by = "not shown: " + reason(s)
		}
		fmt.Fprintf(&page, "| %s | %s | %s | %s | %s |\n", s.id, s.binds, cell(s.text), cell(s.profile), cell(by))
	}
	return page.Bytes()
}

// reason says why no test shows a statement.
func reason(s statement) string {
	if s.binds == "client" && !strings.HasPrefix(s.profile, "no") && !strings.HasPrefix(s.profile, "embed") {
		return "binds clients"
	}
	return s.profile
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func TestConformance(t *testing.T) {
	all, tests := statements(t), testsByStatement(t)
	known := make(map[string]bool)
	for _, s := range all {
		known[s.id] = true
		if s.ours() && len(tests[s.id]) == 0 {
			t.Errorf("%s (%s) binds a broker, and no test names it: %s", s.id, s.profile, s.text)
		}
	}
	for id, names := range tests {
		if !known[id] {
			t.Errorf("%s is no statement of the standard, but named by %v", id, names)
		}
	}
	want := conformance(all, tests)
	path := filepath.Join(root(t), conformancePage)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; make it with -update", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is out of date; make it anew with: go test ./internal/house -run Conformance -update", conformancePage)
	}
}

// The scan itself: to which test a named statement belongs.
func TestConformanceScan(t *testing.T) {
	const source = `package p

// MQTT-1.1.1-1 belongs to nobody.
var x = 1

// TestOne shows MQTT-1.5.3-1
// and MQTT-1.5.3-2.
func TestOne(t *testing.T) {
	check("MQTT-2.2.2-1") // MQTT-2.2.2-2
}

// helper mentions MQTT-3.1.0-1.
func helper() {
	check("MQTT-3.1.0-2")
}

func TestTwo(t *testing.T) {}
`
	got := fmt.Sprint(namedIn(source))
	if want := "map[TestOne:map[MQTT-1.5.3-1:true MQTT-1.5.3-2:true MQTT-2.2.2-1:true MQTT-2.2.2-2:true] TestTwo:map[]]"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
