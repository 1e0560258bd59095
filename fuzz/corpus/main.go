// Command corpus turns the seeds of the fuzz targets, files in Go's own format, into raw bytes for other
// fuzzers: go run ./fuzz/corpus -out DIR, from the top of the repository. DIR then has a folder for each
// target and a file for each seed. A seed of several arguments becomes all its bytes and texts, one after
// the other.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

func main() {
	from := flag.String("from", filepath.Join("fuzz", "testdata", "fuzz"), "where the seeds are")
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
	paths, err := filepath.Glob(filepath.Join(from, "*", "*"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		data, err := raw(string(text))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		dir := filepath.Join(to, filepath.Base(filepath.Dir(path)))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)+".bin"), data, 0o644); err != nil {
			return err
		}
	}
	return nil
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
