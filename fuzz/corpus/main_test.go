package main

import (
	"os"
	"path/filepath"
	"testing"
)

// seedsOf returns the seed files of a target, for instance fuzz/codec/FuzzDecode.
func seedsOf(t *testing.T, target string) []string {
	t.Helper()
	pkg, name := filepath.Split(filepath.FromSlash(target))
	seeds, err := filepath.Glob(filepath.Join("..", "..", pkg, "testdata", "fuzz", name, "*"))
	if err != nil || len(seeds) == 0 {
		t.Fatalf("%s: no seeds: %v", target, err)
	}
	return seeds
}

func TestEverySeedOfTheRepositoryIsConverted(t *testing.T) {
	for form := range layouts {
		t.Run(form, func(t *testing.T) {
			out := t.TempDir()
			if err := convert(filepath.Join("..", ".."), out, form); err != nil {
				t.Fatal(err)
			}
			for _, target := range []string{"fuzz/FuzzSession", "fuzz/codec/FuzzDecode", "tlsconf/psk/internal/wire/FuzzDecode"} {
				seeds := seedsOf(t, target)
				files, _ := filepath.Glob(filepath.Join(out, filepath.FromSlash(target), "*.bin"))
				if len(files) != len(seeds) {
					t.Errorf("%s: %d seeds, %d files", target, len(seeds), len(files))
				}
			}
		})
	}
}

// FuzzDecode's limits come first, then the only weight.
func TestSeedsAreWrittenInTheLayoutThatIsAskedFor(t *testing.T) {
	for form, want := range map[string]string{"plain": "@\x02\x00\n", "oss-fuzz": "\x00\x01@\x02\x00\n"} {
		out := t.TempDir()
		if err := convert(filepath.Join("..", "codec"), out, form); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(out, "FuzzDecode", "puback.bin")); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", form, got, err, want)
		}
	}
	if err := convert(".", t.TempDir(), "afl"); err == nil {
		t.Error("an unknown layout is taken")
	}
}
