package house

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// files lists the repository's files: those that git knows and those that it would take.
func files(t testing.TB) []string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root(t), ".git")); err != nil {
		t.Skip("not a git work tree")
	}
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root(t)
	out, err := list.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	var found []string
	for name := range strings.SplitSeq(string(bytes.TrimRight(out, "\x00")), "\x00") {
		if info, err := os.Stat(filepath.Join(root(t), name)); err == nil && info.Mode().IsRegular() {
			found = append(found, name)
		}
	}
	if len(found) < 10 {
		t.Fatalf("git ls-files found only %d files", len(found))
	}
	return found
}

// read returns a file of the repository.
func read(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// Work that is not done belongs into an issue, not into a comment. The words are assembled here so that
// this file does not contain them.
var undone = regexp.MustCompile(`\b(` + strings.Join([]string{"TO" + "DO", "FIX" + "ME", "XX" + "X"}, "|") + `)\b|(?i)not (yet )?implemented|un` + `implemented`)

func TestNothingIsLeftUndoneInCode(t *testing.T) {
	for _, name := range files(t) {
		if !strings.HasSuffix(name, ".go") || name == "internal/house/files_test.go" {
			continue
		}
		for i, line := range bytes.Split(read(t, name), []byte("\n")) {
			if found := undone.Find(line); found != nil {
				t.Errorf("%s:%d: %q", name, i+1, found)
			}
		}
	}
}

// A path of somebody's machine, or the host of a package registry, is of no use to anybody else.
var private = regexp.MustCompile(`/(root|home/[a-z]+|Users/[A-Za-z]+|work)/(go|main|shared|plan|src|\.cache)\b|registry\.npmjs\.org|proxy\.golang\.org|deb\.debian\.org`)

func TestNoMachinePathAndNoRegistryHost(t *testing.T) {
	for _, name := range files(t) {
		if name == "internal/house/files_test.go" {
			continue
		}
		if found := private.Find(read(t, name)); found != nil {
			t.Errorf("%s: %q", name, found)
		}
	}
}

// Names that say nothing about what a file holds.
var vague = regexp.MustCompile(`(^|/)(utils?|types|common|helpers?|misc|base)(_test)?\.go$`)

func TestFilesAreNamedAfterWhatTheyHold(t *testing.T) {
	for _, name := range files(t) {
		if vague.MatchString(name) {
			t.Errorf("%s: name the file after its subject", name)
		}
	}
}

// longest is the number of lines from which a file surely holds more than one subject.
const longest = 700

func TestFilesHoldOneSubject(t *testing.T) {
	for _, name := range files(t) {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		if lines := bytes.Count(read(t, name), []byte("\n")); lines > longest {
			t.Errorf("%s has %d lines, more than %d: it is two files", name, lines, longest)
		}
	}
}
