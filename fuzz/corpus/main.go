// Command corpus turns the seeds of the fuzz targets, files in Go's own format, into raw bytes for other
// fuzzers: go run ./fuzz/corpus -out DIR, from the top of the repository. DIR then has a file for each seed
// in PACKAGE/TARGET, for instance fuzz/codec/FuzzDecode. A seed of several arguments becomes all its bytes
// and texts, one after the other.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

func main() {
	from := flag.String("from", ".", "the folder whose packages are searched for seeds")
	to := flag.String("out", "", "where the raw seeds go")
	flag.Parse()
	if err := convert(*from, *to); err != nil {
		fmt.Fprintln(os.Stderr, "corpus:", err)
		os.Exit(1)
	}
}

func convert(from, to string) error {
	if to == "" {
		return errors.New("-out is missing")
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
		return write(path, filepath.Join(to, pkg, filepath.Base(target)))
	})
}

// write puts the bytes of a seed into a file of the folder.
func write(seed, folder string) error {
	text, err := os.ReadFile(seed)
	if err != nil {
		return err
	}
	data, err := raw(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", seed, err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, filepath.Base(seed)+".bin"), data, 0o644)
}

// raw returns the bytes of a seed.
func raw(text string) (data []byte, err error) {
	first, rest, _ := strings.Cut(text, "\n")
	if first != "go test fuzz v1" {
		return nil, errors.New("not a seed in Go's format")
	}
	for line := range strings.Lines(rest) {
		line = strings.TrimSpace(line)
		for _, kind := range []string{"[]byte(", "string("} {
			quoted, ok := strings.CutPrefix(line, kind)
			if !ok {
				continue
			}
			s, err := strconv.Unquote(strings.TrimSuffix(quoted, ")"))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", line, err)
			}
			data = append(data, s...)
		}
	}
	return data, nil
}
