package house

import (
	"regexp"
	"strings"
	"testing"
)

// namedTest is a test as docs/compatibility.md names it.
var namedTest = regexp.MustCompile(`\bTest[A-Z]\w+`)

// Every test that docs/compatibility.md names is there.
func TestCompatibilityNamesTestsThatExist(t *testing.T) {
	there := make(map[string]bool)
	for _, name := range files(t) {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		for line := range strings.Lines(string(read(t, name))) {
			if m := testFunc.FindStringSubmatch(line); m != nil {
				there[m[1]] = true
			}
		}
	}
	named := namedTest.FindAllString(string(read(t, "docs/compatibility.md")), -1)
	if len(named) < 40 {
		t.Fatalf("only %d tests are named", len(named))
	}
	for _, name := range named {
		if !there[name] {
			t.Errorf("docs/compatibility.md names %s, which is no test", name)
		}
	}
}
