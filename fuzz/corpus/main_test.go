package main

import (
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
	if err := convert(filepath.Join("..", ".."), out); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"fuzz/FuzzSession", "fuzz/codec/FuzzDecode", "tlsconf/psk/internal/wire/FuzzDecode"} {
		pkg, name := filepath.Split(filepath.FromSlash(target))
		seeds, _ := filepath.Glob(filepath.Join("..", "..", pkg, "testdata", "fuzz", name, "*"))
		files, _ := filepath.Glob(filepath.Join(out, pkg, name, "*.bin"))
		if len(seeds) == 0 || len(files) != len(seeds) {
			t.Errorf("%s: %d seeds, %d files", target, len(seeds), len(files))
		}
	}
}
