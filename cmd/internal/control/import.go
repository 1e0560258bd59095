package control

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

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
// The file travels in parts of whole lines, each with the line that names the columns, if there is one.
func Import(ctx context.Context, c Caller, file io.Reader, replace bool) (ImportReport, error) {
	total := ImportReport{Problems: []ImportProblem{}}
	lines := bufio.NewReaderSize(file, 64<<10)
	var heading []byte
	line, first := 0, true
	for end := false; !end; {
		var csv bytes.Buffer
		csv.Write(heading)
		before := line
		for csv.Len() < partBytes && !end {
			text, err := lines.ReadBytes('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				return total, err
			}
			end = err != nil
			if len(text) > 0 {
				line++
				csv.Write(text)
				if first && bytes.Contains(bytes.ToLower(text), []byte("devicename")) {
					heading = text
				}
				first = false
			}
		}
		if line == before {
			break
		}
		report, err := deviceImport.on(ctx, c, part{csv.String(), replace})
		total.add(report, before, before > 0 && heading != nil)
		if err != nil {
			return total, fmt.Errorf("after %d lines: %w", before, err)
		}
	}
	return total, nil
}

// add adds the report of a part that begins behind a number of lines, with or without a heading repeated.
func (r *ImportReport) add(part ImportReport, before int, heading bool) {
	r.Lines += part.Lines
	r.Added += part.Added
	r.Unchanged += part.Unchanged
	r.Replaced += part.Replaced
	r.Failed += part.Failed
	if heading {
		before--
	}
	for _, p := range part.Problems {
		if len(r.Problems) < mostProblems {
			r.Problems = append(r.Problems, ImportProblem{p.Line + before, p.Problem})
		}
	}
}
