package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var fuzzTarget = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(f \*testing\.F\)`)

// A fuzz target without seeds starts blind everywhere but on the machine of its author, and a seed that is
// added in code is not seen by other fuzzers.
func TestEveryFuzzTargetHasSeedFiles(t *testing.T) {
	for _, name := range files(t) {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, match := range fuzzTarget.FindAllSubmatch(read(t, name), -1) {
			folder := filepath.Join(filepath.Dir(name), "testdata", "fuzz", string(match[1]))
			seeds, err := os.ReadDir(filepath.Join(root(t), folder))
			if err != nil || len(seeds) == 0 {
				t.Errorf("%s: %s has no seed in %s", name, match[1], folder)
			}
		}
	}
}
