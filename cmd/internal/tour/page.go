// Package tour follows the pages of the documentation as a reader would, for tests: it runs every block of a
// page in its order, and compares what is printed with what the page says. Only the ports are others.
package tour

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Block is a fenced block of a page.
type Block struct {
	Language string
	Line     int // of the fence
	Text     string
}

// Page is a page of the documentation.
type Page struct {
	Name     string // below the root of the repository
	Blocks   []Block
	Headings []int // the level of each, 1 for the title
}

// Open reads a page.
func Open(t testing.TB, name string) Page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), name))
	if err != nil {
		t.Fatal(err)
	}
	p := Page{Name: name}
	var b *Block
	for i, line := range strings.Split(string(text), "\n") {
		switch language, fence := strings.CutPrefix(line, "```"); {
		case fence && b == nil:
			b = &Block{Language: language, Line: i + 1}
		case fence:
			p.Blocks = append(p.Blocks, *b)
			b = nil
		case b != nil:
			b.Text += line + "\n"
		case strings.HasPrefix(line, "#"):
			p.Headings = append(p.Headings, len(line)-len(strings.TrimLeft(line, "#")))
		}
	}
	if b != nil {
		t.Fatalf("%s:%d: the block has no end", name, b.Line)
	}
	return p
}

// root is the folder of the repository: the one above that has the workspace.
func root(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.work")); err == nil {
			return folder
		}
		above := filepath.Dir(folder)
		if above == folder {
			t.Fatal("there is no go.work above")
		}
		folder = above
	}
}
