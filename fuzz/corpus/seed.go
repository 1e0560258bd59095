package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// argument is one of those that a seed has for its target.
type argument struct {
	kind string // as in the seed: "byte", "[]byte"
	data []byte // a number's bytes are those of its type, the most significant one first
}

// sized is how many bytes a value of each type has whose values all have as many.
var sized = map[string]int{
	"bool": 1,
	"byte": 1, "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8, "uint": 8,
	"int8": 1, "int16": 2, "int32": 4, "rune": 4, "int64": 8, "int": 8,
}

// fixed reports whether all values of the argument's type have as many bytes.
func (a argument) fixed() bool { return sized[a.kind] > 0 }

// parse returns the arguments of a seed.
func parse(text string) ([]argument, error) {
	first, rest, _ := strings.Cut(text, "\n")
	if first != "go test fuzz v1" {
		return nil, errors.New("not a seed in Go's format")
	}
	var args []argument
	for line := range strings.Lines(rest) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		kind, value, open := strings.Cut(line, "(")
		value, closed := strings.CutSuffix(value, ")")
		if !open || !closed {
			return nil, fmt.Errorf("%s: not TYPE(VALUE)", line)
		}
		data, err := bytesOf(kind, value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		args = append(args, argument{kind, data})
	}
	return args, nil
}

// bytesOf returns the bytes of a value, which is written as in Go.
func bytesOf(kind, value string) ([]byte, error) {
	if kind == "[]byte" || kind == "string" {
		s, err := strconv.Unquote(value)
		return []byte(s), err
	}
	size := sized[kind]
	if size == 0 {
		return nil, fmt.Errorf("seeds of type %s are not known here: add it to fuzz/corpus/seed.go", kind)
	}
	n, err := number(kind, value, 8*size)
	if err != nil {
		return nil, err
	}
	return binary.BigEndian.AppendUint64(nil, n)[8-size:], nil
}

// number returns a truth value, a character or an integer of so many bits; of a negative one the complement.
func number(kind, value string, bits int) (uint64, error) {
	if kind == "bool" {
		yes, err := strconv.ParseBool(value)
		if yes {
			return 1, err
		}
		return 0, err
	}
	if character, ok := strings.CutPrefix(value, "'"); ok {
		r, _, tail, err := strconv.UnquoteChar(character, '\'')
		if err == nil && tail != "'" {
			err = strconv.ErrSyntax
		}
		return uint64(r), err
	}
	if kind == "byte" || strings.HasPrefix(kind, "uint") {
		return strconv.ParseUint(value, 0, bits)
	}
	n, err := strconv.ParseInt(value, 0, bits)
	return uint64(n), err
}
