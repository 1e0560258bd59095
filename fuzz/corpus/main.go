// Command corpus turns the seeds of the fuzz targets, files in Go's own format, into raw bytes for other
// fuzzers: go run ./fuzz/corpus -out DIR, from the top of the repository. DIR then has a file for each seed
// in PACKAGE/TARGET, for instance fuzz/codec/FuzzDecode. What a seed of several arguments becomes is said by
// -layout:
//
//	plain     its bytes and texts, one after the other; numbers are left out
//	oss-fuzz  what a target that OSS-Fuzz has built takes to pieces again (see ossFuzz)
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	from := flag.String("from", ".", "the folder whose packages are searched for seeds")
	to := flag.String("out", "", "where the raw seeds go")
	form := flag.String("layout", "plain", "how arguments become bytes: plain or oss-fuzz")
	flag.Parse()
	if err := convert(*from, *to, *form); err != nil {
		fmt.Fprintln(os.Stderr, "corpus:", err)
		os.Exit(1)
	}
}

func convert(from, to, form string) error {
	if to == "" {
		return errors.New("-out is missing")
	}
	lay, ok := layouts[form]
	if !ok {
		return fmt.Errorf("-layout is plain or oss-fuzz, not %q", form)
	}
	const seeds = "testdata" + string(filepath.Separator) + "fuzz"
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != from && strings.HasPrefix(d.Name(), ".") {
				return filepath.SkipDir
			}
			return nil
		}
		target := filepath.Dir(path)
		folder := filepath.Dir(target)
		if !strings.HasSuffix(folder, seeds) {
			return nil
		}
		pkg, err := filepath.Rel(from, strings.TrimSuffix(folder, seeds))
		if err != nil {
			return err
		}
		return write(path, filepath.Join(to, pkg, filepath.Base(target)), lay)
	})
}

// write puts the bytes of a seed into a file of the folder.
func write(seed, folder string, lay layout) error {
	text, err := os.ReadFile(seed)
	if err != nil {
		return err
	}
	args, err := parse(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", seed, err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, filepath.Base(seed)+".bin"), lay(args), 0o644)
}
