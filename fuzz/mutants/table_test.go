package main

import (
	"os"
	"path/filepath"
	"testing"
)

// The bugs are written against the source as it is; one that no longer fits has to be written anew.
func TestTableFitsTheSource(t *testing.T) {
	table, err := os.ReadFile("table.txt")
	if err != nil {
		t.Fatal(err)
	}
	mutants, err := parse(string(table))
	if err != nil {
		t.Fatal(err)
	}
	if len(mutants) < 30 {
		t.Errorf("%d bugs", len(mutants))
	}
	names := make(map[string]bool)
	for _, m := range mutants {
		if names[m.Name] || m.Wrong == "" || len(m.changes) == 0 {
			t.Errorf("%s: not unique or not whole", m.Name)
		}
		names[m.Name] = true
		files := make(map[string]string)
		for _, c := range m.changes {
			if files[c.file] == "" {
				text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(c.file)))
				if err != nil {
					t.Fatal(err)
				}
				files[c.file] = string(text)
			}
			changed, err := c.in(files[c.file])
			if err != nil {
				t.Errorf("%s: %v", m.Name, err)
			} else if changed == files[c.file] {
				t.Errorf("%s: changes nothing", m.Name)
			}
			files[c.file] = changed
		}
	}
}
