package triples

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// longestLine is the longest line that is read, in bytes; a longer one is skipped and reported.
const longestLine = 4096

var errLongLine = fmt.Errorf("more than %d bytes", longestLine)

// lines reads a file line by line, in bounded memory whatever is in it.
type lines struct {
	in     *bufio.Reader
	number int // of the line that next has returned
}

// byteOrderMark may be the first character of a file.
const byteOrderMark = "\xef\xbb\xbf"

func newLines(file io.Reader) *lines {
	l := &lines{in: bufio.NewReaderSize(file, longestLine)}
	if mark, err := l.in.Peek(len(byteOrderMark)); err == nil && string(mark) == byteOrderMark {
		_, _ = l.in.Discard(len(byteOrderMark)) // they are in the buffer
	}
	return l
}

// next returns the next line that is not blank, without its end. The error is io.EOF behind the last one,
// errLongLine for a line that was skipped, and the reader's otherwise.
func (l *lines) next() (string, error) {
	for {
		l.number++
		line, err := l.in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = l.in.ReadSlice('\n')
			}
			if err == nil || err == io.EOF {
				err = errLongLine
			}
			return "", err
		}
		if err != nil && (err != io.EOF || len(line) == 0) {
			return "", err
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return string(line), nil
		}
	}
}

// split cuts a line at its commas and takes blanks off the fields. A field may stand in double quotes, in
// which a comma is part of it and two quotes are one (RFC 4180); it cannot go on in the next line.
func split(line string, fields []string) ([]string, error) {
	for {
		line = strings.TrimLeft(line, " \t")
		if !strings.HasPrefix(line, `"`) {
			field, rest, more := strings.Cut(line, ",")
			fields = append(fields, strings.TrimRight(field, " \t"))
			if !more {
				return fields, nil
			}
			line = rest
			continue
		}
		field, rest, err := quoted(line[1:])
		if err != nil {
			return nil, err
		}
		fields = append(fields, strings.TrimSpace(field))
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" {
			return fields, nil
		}
		if rest[0] != ',' {
			return nil, errors.New("text between a closing quote and the comma")
		}
		line = rest[1:]
	}
}

// quoted reads a field up to its closing quote.
func quoted(text string) (field, rest string, err error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '"')
		if i < 0 {
			return "", "", errors.New("a quote that is not closed")
		}
		b.WriteString(text[:i])
		text = text[i+1:]
		if !strings.HasPrefix(text, `"`) {
			return b.String(), text, nil
		}
		b.WriteByte('"')
		text = text[1:]
	}
}
