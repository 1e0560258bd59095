package triples

import (
	"errors"
	"fmt"
	"io"

	"sampan/broker/device"
)

// Options of an import.
type Options struct {
	// Replace gives a device or a product that is there the secret of the file. Without it, another secret
	// is an error of its line.
	Replace bool

	// Problem is called for every line that could not be imported; nil: the first ones are in the Report.
	Problem func(*LineError)
}

// Report says what an import did.
type Report struct {
	Lines     int // with a device on them
	Added     int
	Unchanged int
	Replaced  int
	Failed    int
	Problems  []*LineError // the first of the failed lines, at most 20
}

// LineError is what is wrong with a line of the file.
type LineError struct {
	Line int // from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e *LineError) Unwrap() error { return e.Err }

// keptProblems is how many problems a Report lists.
const keptProblems = 20

// batchLines is how many devices are given to the registry together: they wait for the disk once.
const batchLines = 4096

// Import reads a file to its end and imports every line that is valid, whatever the others are. The first
// line may name the columns, in any order and spelling of case, with or without columns of other names;
// without such a line the columns are productKey, deviceName, deviceSecret and, if there is a fourth,
// productSecret. Blanks around fields and a byte order mark are taken off. Lines of any number are read in
// bounded memory.
//
// The error is that of the reader or of the registry. Failed lines are no error: see the Report.
func Import(r *device.Registry, file io.Reader, o Options) (Report, error) {
	in := newLines(file)
	im := importer{registry: r, o: o}
	var fields []string
	for {
		line, err := in.next()
		switch {
		case err == io.EOF:
			err = im.flush()
			return im.report, err
		case errors.Is(err, errLongLine):
			err = im.take(item{line: in.number, err: err}, device.Imported{})
		case err != nil:
			err = errors.Join(err, im.flush())
			return im.report, err
		default:
			fields, err = split(line, fields[:0])
			err = im.line(in.number, fields, err)
		}
		if err != nil {
			return im.report, err
		}
	}
}

type importer struct {
	registry *device.Registry
	o        Options
	report   Report
	columns  *columns // nil: no line has been read
	items    []item   // lines that are not in the report yet
	batch    []device.Imported
}

// item is a line: what is wrong with it, or else where in the batch it is.
type item struct {
	line int
	err  error
	at   int
}

// line takes a line of the file, or what was wrong with its syntax.
func (im *importer) line(number int, fields []string, err error) error {
	if im.columns == nil {
		c, isHeader := header(fields)
		im.columns = &c
		if isHeader {
			if missing := c.missing(); missing != "" {
				return &LineError{number, fmt.Errorf("the header names no column %s", missing)}
			}
			return nil
		}
	}
	if err == nil && len(fields) <= im.columns.last() {
		err = fmt.Errorf("%d fields, not productKey,deviceName,deviceSecret", len(fields))
	}
	if err != nil {
		return im.take(item{line: number, err: err}, device.Imported{})
	}
	return im.take(item{line: number, at: len(im.batch)}, im.columns.read(fields))
}

// take gathers a line, and gives what has gathered to the registry from time to time.
func (im *importer) take(i item, d device.Imported) error {
	im.report.Lines++
	im.items = append(im.items, i)
	if i.err == nil {
		im.batch = append(im.batch, d)
	}
	if len(im.items) < batchLines {
		return nil
	}
	return im.flush()
}

// flush gives what has gathered to the registry.
func (im *importer) flush() error {
	results, err := im.registry.Import(im.batch, im.o.Replace)
	for _, i := range im.items {
		if i.err != nil {
			im.fail(i.line, i.err)
			continue
		}
		switch result := results[i.at]; result.Outcome {
		case device.ImportAdded:
			im.report.Added++
		case device.ImportUnchanged:
			im.report.Unchanged++
		case device.ImportReplaced:
			im.report.Replaced++
		default:
			if result.Err != nil {
				im.fail(i.line, result.Err)
			}
		}
	}
	im.items, im.batch = im.items[:0], im.batch[:0]
	return err
}

func (im *importer) fail(line int, err error) {
	im.report.Failed++
	problem := &LineError{line, err}
	if len(im.report.Problems) < keptProblems {
		im.report.Problems = append(im.report.Problems, problem)
	}
	if im.o.Problem != nil {
		im.o.Problem(problem)
	}
}
