package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sampan/fuzz/network"
)

// keeper writes the scripts of findings into files of a directory, each as soon as it is known.
type keeper struct {
	dir     string
	options string // with which --replay shows the finding again
	err     error  // the first that could not be written
}

// keep writes the scripts of a finding. One without a script, as of what was done before the first, has no file.
func (k *keeper) keep(f *network.Finding) {
	if f.Script == "" {
		return
	}
	name, text := slug(f), fmt.Sprintf("# [%s] %s\n# sampan fuzz%s --replay FILE\n", f.Rule, strings.Join(strings.Fields(f.Text), " "), k.options)
	k.write(name, text+f.Script)
	for i, earlier := range f.Earlier {
		k.write(fmt.Sprintf("%s-before-%d", name, i+1), text+fmt.Sprintf("# carried out before it, at %d from the last\n", i+1)+earlier)
	}
}

// write makes a file, whose name has a number if another script has that name.
func (k *keeper) write(name, text string) {
	for i := 1; k.err == nil; i++ {
		path := filepath.Join(k.dir, name+".script")
		if i > 1 {
			path = filepath.Join(k.dir, fmt.Sprintf("%s-%d.script", name, i))
		}
		there, err := os.ReadFile(path)
		switch {
		case err == nil && string(there) == text:
			return
		case errors.Is(err, fs.ErrNotExist):
			k.err = os.WriteFile(path, []byte(text), 0o644)
			return
		}
		k.err = err
	}
}

// Words that a file's name does without, and how many it has.
const (
	fillers   = " a an is it of that the "
	nameWords = 6
)

// slug says what a finding is in the name of a file.
func slug(f *network.Finding) string {
	words := []string{strings.ToLower(f.Rule)}
	for _, w := range strings.FieldsFunc(strings.ToLower(f.Text), func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9')
	}) {
		if !strings.Contains(fillers, " "+w+" ") && len(words) <= nameWords {
			words = append(words, w)
		}
	}
	return strings.Join(words, "-")
}
