package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// mutant is a known bug.
type mutant struct {
	Name, Wrong string
	changes     []change
}

// change replaces text that occurs once in a file.
type change struct{ file, from, to string }

// parse reads the table; its form is told at its beginning.
func parse(table string) (mutants []*mutant, err error) {
	var m *mutant
	var c *change
	number := 0
	for line := range strings.Lines(table) {
		number++
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "= "):
			m, c = &mutant{Name: line[2:]}, nil
			mutants = append(mutants, m)
		case m == nil:
			return nil, fmt.Errorf("line %d: no bug has begun", number)
		case strings.HasPrefix(line, "@ "):
			m.changes = append(m.changes, change{file: line[2:]})
			c = &m.changes[len(m.changes)-1]
		case c != nil && line[0] == '-':
			c.from += line[1:] + "\n"
		case c != nil && line[0] == '+':
			c.to += line[1:] + "\n"
		case c == nil && m.Wrong == "":
			m.Wrong = line
		default:
			return nil, fmt.Errorf("line %d: not understood: %s", number, line)
		}
	}
	return mutants, nil
}

// apply makes the changes in a copy of the repository. restore takes them back.
func (m *mutant) apply(dir string) (restore func(), err error) {
	before := make(map[string][]byte)
	restore = func() {
		for path, text := range before {
			err = errors.Join(err, os.WriteFile(path, text, 0o644))
		}
	}
	for _, c := range m.changes {
		path := filepath.Join(dir, filepath.FromSlash(c.file))
		text, err := os.ReadFile(path)
		if err != nil {
			restore()
			return nil, err
		}
		if before[path] == nil {
			before[path] = text
		}
		changed, err := c.in(string(text))
		if err == nil {
			err = os.WriteFile(path, []byte(changed), 0o644)
		}
		if err != nil {
			restore()
			return nil, err
		}
	}
	return restore, nil
}

// in makes the change in a file's text. A change within one line is written without the rest of the line.
func (c *change) in(text string) (string, error) {
	from, to := c.from, c.to
	if strings.Count(text, from) == 0 {
		from, to = strings.TrimSuffix(from, "\n"), strings.TrimSuffix(to, "\n")
	}
	if n := strings.Count(text, from); n != 1 {
		return "", fmt.Errorf("%s: the old text occurs %d times, not once:\n%s", c.file, n, c.from)
	}
	return strings.Replace(text, from, to, 1), nil
}
