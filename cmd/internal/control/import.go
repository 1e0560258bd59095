package control

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"sampan/broker/device/triples"
)

// ImportReport is the outcome of an import.
type ImportReport struct {
	Lines     int             `json:"lines"` // with a device on them
	Added     int             `json:"added"`
	Unchanged int             `json:"unchanged"`
	Replaced  int             `json:"replaced"`
	Failed    int             `json:"failed"`
	Problems  []ImportProblem `json:"problems"` // of the first failed lines
}

// ImportProblem is what is wrong with a line.
type ImportProblem struct {
	Line    int    `json:"line"`
	Problem string `json:"problem"`
}

// mostProblems is how many failed lines a report explains.
const mostProblems = 20

// part is a part of a file.
type part struct {
	CSV     string `json:"csv"`
	Replace bool   `json:"replace"`
}

var deviceImport = define("device.import", func(_ context.Context, b *Backend, p part) (ImportReport, error) {
	report, err := triples.Import(b.Registry, strings.NewReader(p.CSV), triples.Options{Replace: p.Replace})
	result := ImportReport{
		Lines: report.Lines, Added: report.Added, Unchanged: report.Unchanged, Replaced: report.Replaced, Failed: report.Failed,
		Problems: []ImportProblem{},
	}
	for _, problem := range report.Problems {
		result.Problems = append(result.Problems, ImportProblem{problem.Line, problem.Err.Error()})
	}
	return result, err
})

// partBytes is about the size of the parts in which a file travels. Tests make it smaller.
var partBytes = 1 << 20

// Import reads a CSV file of devices and adds them; Replace gives those that are there the file's secrets.
// The file travels in parts of whole lines, each with the line that names the columns, if there is one. It does so
// as JSON, which has no word for what is not UTF-8: such lines stay behind.
func Import(ctx context.Context, c Caller, file io.Reader, replace bool) (ImportReport, error) {
	total := ImportReport{Problems: []ImportProblem{}}
	lines := bufio.NewReaderSize(file, 64<<10)
	var heading []byte
	line, first := 0, true
	for end := false; !end; {
		var csv bytes.Buffer
		csv.Write(heading)
		before := line
		var unreadable []ImportProblem
		for csv.Len() < partBytes && !end {
			text, err := lines.ReadBytes('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				return total, err
			}
			end = err != nil
			if len(text) > 0 {
				line++
				names := false
				if first {
					var blank bool
					names, blank = triples.Heading(text)
					first = blank
				}
				if !utf8.Valid(text) {
					if names {
						return total, fmt.Errorf("line %d %s", line, notUTF8)
					}
					unreadable = append(unreadable, ImportProblem{line, "the line " + notUTF8})
					text = []byte("\n") // which counts, and has no device
				}
				csv.Write(text)
				if names {
					heading = text
				}
			}
		}
		if line == before {
			break
		}
		report, err := deviceImport.on(ctx, c, part{csv.String(), replace})
		total.add(report, before, before > 0 && heading != nil, unreadable)
		if err != nil {
			return total, fmt.Errorf("after %d lines: %w", before, err)
		}
	}
	return total, nil
}

// notUTF8 says what is wrong with a line, and what helps.
const notUTF8 = "is not UTF-8: save the file as UTF-8, or convert it, as in 'iconv -f GB18030 -t UTF-8'"

// add adds the report of a part that begins behind a number of lines, with or without a heading repeated, and of
// which some lines were not sent.
func (r *ImportReport) add(part ImportReport, before int, heading bool, unreadable []ImportProblem) {
	r.Lines += part.Lines + len(unreadable)
	r.Added += part.Added
	r.Unchanged += part.Unchanged
	r.Replaced += part.Replaced
	r.Failed += part.Failed + len(unreadable)
	if heading {
		before--
	}
	problems := unreadable
	for _, p := range part.Problems {
		problems = append(problems, ImportProblem{p.Line + before, p.Problem})
	}
	slices.SortStableFunc(problems, func(a, b ImportProblem) int { return cmp.Compare(a.Line, b.Line) })
	r.Problems = append(r.Problems, problems[:min(len(problems), mostProblems-len(r.Problems))]...)
}
