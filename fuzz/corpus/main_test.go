package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSeedsBecomeRawBytes(t *testing.T) {
	for _, c := range []struct{ seed, want string }{
		{"go test fuzz v1\n[]byte(\"\\x10\\x00\")\n", "\x10\x00"},
		{"go test fuzz v1\nbyte('\\x01')\nstring(\"a/b\")\n[]byte(\"c\")\n", "a/bc"},
	} {
		if got, err := raw(c.seed); err != nil || string(got) != c.want {
			t.Errorf("%q: %q, %v; want %q", c.seed, got, err, c.want)
		}
	}
	if _, err := raw("\x10\x00"); err == nil {
		t.Error("raw bytes are taken for a seed")
	}
}

func TestEverySeedOfTheRepositoryIsConverted(t *testing.T) {
	out := t.TempDir()
	if err := convert(filepath.Join("..", "testdata", "fuzz"), out); err != nil {
		t.Fatal(err)
	}
	seeds, _ := filepath.Glob(filepath.Join("..", "testdata", "fuzz", "*", "*"))
	files, _ := filepath.Glob(filepath.Join(out, "*", "*.bin"))
	if len(seeds) == 0 || len(files) != len(seeds) {
		t.Errorf("%d seeds, %d files", len(seeds), len(files))
	}
	for _, f := range files {
		if _, err := os.Stat(f); err != nil {
			t.Error(err)
		}
	}
}
