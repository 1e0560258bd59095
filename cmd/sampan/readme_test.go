package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sampan/cmd/internal/tour"
)

// Everything that the README shows is run, in its order, and prints what the README says that it prints.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary; it has no race detector")
	}
	r := tour.New(t, "README.md")
	r.Prints = "greeting/world hello\n"
	r.Follow()
}

// What the page about security shows of certificates works as it is there.
func TestSecurityPage(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary; it has no race detector")
	}
	for _, program := range []string{"openssl", "mosquitto_sub"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("SAMPAN_REQUIRE_TOOLS") == "1" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	tour.New(t, "docs/security.md").Follow()
}

// A page in Chinese shows the same as the page in English: the same headings, and the same blocks to the
// letter, so that what is run for one holds for both.
func TestPagesInTwoLanguagesAreInStep(t *testing.T) {
	for english, chinese := range map[string]string{
		"README.md":        "README.zh.md",
		"docs/tutorial.md": "docs/tutorial.zh.md",
	} {
		t.Run(english, func(t *testing.T) {
			e, c := tour.Open(t, english), tour.Open(t, chinese)
			if len(e.Blocks) < 5 || len(e.Headings) < 4 {
				t.Fatalf("%s has only %d blocks and %d headings", english, len(e.Blocks), len(e.Headings))
			}
			if diff := cmp.Diff(e.Headings, c.Headings); diff != "" {
				t.Errorf("levels of the headings: (-%s +%s)\n%s", english, chinese, diff)
			}
			if diff := cmp.Diff(shown(e), shown(c)); diff != "" {
				t.Errorf("blocks: (-%s +%s)\n%s", english, chinese, diff)
			}
		})
	}
}

// shown are the blocks of a page, wherever they are.
func shown(p tour.Page) []tour.Block {
	all := slices.Clone(p.Blocks)
	for i := range all {
		all[i].Line = 0
	}
	return all
}

var link = regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)

// A page points at what is there.
func TestLinksLeadSomewhere(t *testing.T) {
	var pages []string
	for _, pattern := range []string{"../../*.md", "../../docs/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	if len(pages) < 8 {
		t.Fatalf("only %v", pages)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), found[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}
