// Package config reads a YAML file whose keys are the names of a command's flags. What the command line
// said already wins over the file.
//
//	listen:
//	  - mqtt://127.0.0.1:1883
//	  - mqtts://:8883
//	cert: broker.pem
//	key: broker.key
//
// A key may be split at its hyphens into sections: `tls: {policy: modern}` means tls-policy.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"sampan/cmd/internal/suggest"
)

// Setting is a key that the file sets.
type Setting struct {
	Line       int
	Key        string   // the flag's name
	Values     []string // as written; one for a setting that is no list
	Overridden bool     // the command line set the flag, so the file's values were only checked
}

// Problem is something wrong in the file.
type Problem struct {
	Line, Column int // from 1; 0 if the place is not known
	Key          string
	Err          error
}

func (p *Problem) Error() string {
	if p.Key == "" {
		return p.Err.Error()
	}
	return p.Key + ": " + p.Err.Error()
}

func (p *Problem) Unwrap() error { return p.Err }

// Load reads a document and sets the flag that each key names, unless the command line has set it; the flag counts
// as changed. Keys in except are flags that a file cannot set. All problems of the file are found in one go, in the
// order of their lines; flags whose value is bad keep what they were.
func Load(flags *pflag.FlagSet, document io.Reader, except ...string) ([]Setting, []*Problem) {
	l := loader{flags: flags, except: except, lines: map[string]int{}}
	decoder := yaml.NewDecoder(document)
	var node yaml.Node
	switch err := decoder.Decode(&node); {
	case errors.Is(err, io.EOF): // an empty file sets nothing
		return nil, nil
	case err != nil:
		return nil, []*Problem{syntax(err)}
	}
	l.walk("", node.Content[0])
	var second yaml.Node
	switch err := decoder.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		l.problems = append(l.problems, syntax(err))
	default:
		l.problem(&second, "", errors.New("a second document begins here; the file holds one"))
	}
	slices.SortStableFunc(l.problems, func(a, b *Problem) int { return cmp.Compare(a.Line, b.Line) })
	return l.settings, l.problems
}

type loader struct {
	flags    *pflag.FlagSet
	except   []string
	lines    map[string]int // of the keys seen
	settings []Setting
	problems []*Problem
}

func (l *loader) problem(at *yaml.Node, key string, err error) {
	l.problems = append(l.problems, &Problem{Line: at.Line, Column: at.Column, Key: key, Err: err})
}

// walk goes through a mapping; prefix is the section it stands in, with its hyphen.
func (l *loader) walk(prefix string, node *yaml.Node) {
	if node.Kind != yaml.MappingNode {
		if node.Kind == yaml.ScalarNode && node.Tag == "!!null" && prefix == "" {
			return
		}
		l.problem(node, strings.TrimSuffix(prefix, "-"), errors.New("expected `key: value` lines"))
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		if name.Kind != yaml.ScalarNode {
			l.problem(name, "", errors.New("a key is a word"))
			continue
		}
		key := prefix + name.Value
		flag := l.flags.Lookup(key)
		switch {
		case value.Kind == yaml.AliasNode || value.Anchor != "" || name.Value == "<<":
			l.problem(name, key, errors.New("anchors, aliases and merges are not supported"))
		case flag == nil && value.Kind == yaml.MappingNode && l.section(key+"-"):
			l.walk(key+"-", value)
		case flag == nil && l.section(key+"-"):
			l.problem(name, key, l.beginning(key))
		case flag == nil || slices.Contains(l.except, key):
			l.problem(name, key, l.unknown(key))
		case l.lines[key] != 0:
			l.problem(name, key, fmt.Errorf("set twice; the first time in line %d", l.lines[key]))
		default:
			l.lines[key] = name.Line
			l.set(flag, name, value)
		}
	}
}

// section reports whether a flag's name begins with the prefix.
func (l *loader) section(prefix string) bool {
	found := false
	l.flags.VisitAll(func(f *pflag.Flag) { found = found || strings.HasPrefix(f.Name, prefix) })
	return found
}

// beginning says that a key is only how others begin, and names some.
func (l *loader) beginning(key string) error {
	const shown = 3
	var keys []string
	l.flags.VisitAll(func(f *pflag.Flag) {
		if strings.HasPrefix(f.Name, key) && !slices.Contains(l.except, f.Name) {
			keys = append(keys, f.Name)
		}
	})
	if len(keys) > shown {
		keys = append(keys[:shown], "...")
	}
	return fmt.Errorf("no key by itself, but the beginning of others: %s", strings.Join(keys, ", "))
}

func (l *loader) unknown(key string) error {
	if slices.Contains(l.except, key) {
		return errors.New("a flag of the command line only")
	}
	var keys []string
	l.flags.VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(l.except, f.Name) {
			keys = append(keys, f.Name)
		}
	})
	if meant := suggest.Closest(strings.ReplaceAll(strings.ToLower(key), "_", "-"), keys); meant != "" {
		return fmt.Errorf("unknown key; did you mean %s?", meant)
	}
	return errors.New("unknown key")
}

func (l *loader) set(flag *pflag.Flag, name, value *yaml.Node) {
	texts, at, err := scalars(value)
	if err != nil {
		l.problem(at, flag.Name, err)
		return
	}
	list, isList := flag.Value.(pflag.SliceValue)
	if !isList && value.Kind == yaml.SequenceNode {
		l.problem(value, flag.Name, errors.New("takes one value, not a list"))
		return
	}
	if !isList && len(texts) == 1 && flag.Value.Type() == "bool" && texts[0] != "true" && texts[0] != "false" {
		l.problem(value, flag.Name, errors.New("write true or false"))
		return
	}
	setting := Setting{Line: name.Line, Key: flag.Name, Values: texts, Overridden: flag.Changed}
	before := flag.Value.String()
	var beforeList []string
	if isList {
		beforeList = list.GetSlice()
		err = list.Replace(texts)
	} else {
		err = flag.Value.Set(texts[0])
	}
	if err != nil {
		l.problem(value, flag.Name, err)
		return
	}
	if setting.Overridden {
		// The value was good; the command line's is put back.
		if isList {
			err = list.Replace(beforeList)
		} else {
			err = flag.Value.Set(before)
		}
		if err != nil {
			l.problem(value, flag.Name, fmt.Errorf("the command line's value could not be kept: %w", err))
		}
	}
	flag.Changed = true // it was given, also if the value is the default
	l.settings = append(l.settings, setting)
}

// scalars returns the text of a scalar, or of each scalar of a list, and where it went wrong.
func scalars(node *yaml.Node) ([]string, *yaml.Node, error) {
	switch node.Kind {
	case yaml.ScalarNode:
		if node.Tag == "!!null" {
			return nil, node, errors.New("has no value")
		}
		return []string{node.Value}, node, nil
	case yaml.SequenceNode:
		texts := make([]string, 0, len(node.Content))
		for _, item := range node.Content {
			if item.Kind != yaml.ScalarNode || item.Tag == "!!null" || item.Anchor != "" {
				return nil, item, errors.New("a list holds plain values")
			}
			texts = append(texts, item.Value)
		}
		return texts, node, nil
	}
	return nil, node, errors.New("takes a value, not a section")
}
