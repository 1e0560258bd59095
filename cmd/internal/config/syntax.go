package config

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

var line = regexp.MustCompile(`^line ([0-9]+): `)

// syntax turns the YAML reader's error into a Problem. The error has its line in its text, but for the first
// line of the file.
func syntax(err error) *Problem {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	p := &Problem{Line: 1, Err: errors.New("not YAML: " + text)}
	if found := line.FindStringSubmatch(text); found != nil {
		p.Line, _ = strconv.Atoi(found[1])
		p.Err = errors.New("not YAML: " + text[len(found[0]):])
	}
	return p
}
