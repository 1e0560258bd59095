package cli

import (
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// gap is the room between two columns of a table.
const gap = 2

// Table writes rows in columns under a heading. An empty cell shows as "-", and what a terminal would not show as
// it is, as Printable does.
func Table(w io.Writer, heading []string, rows [][]string) {
	lines := [][]string{heading}
	for _, row := range rows {
		line := make([]string, len(row))
		for i, cell := range row {
			if line[i] = Printable(cell); cell == "" {
				line[i] = "-"
			}
		}
		lines = append(lines, line)
	}
	columns := make([]int, len(heading))
	for _, line := range lines {
		for i, cell := range line {
			columns[i] = max(columns[i], width(cell))
		}
	}
	var text strings.Builder
	for _, line := range lines {
		for i, cell := range line {
			text.WriteString(cell)
			if i < len(line)-1 {
				text.WriteString(strings.Repeat(" ", columns[i]-width(cell)+gap))
			}
		}
		text.WriteByte('\n')
	}
	io.WriteString(w, text.String())
}

// Printable is a text as it is, or in quotes with escapes if there is something in it that does not print: clients
// choose what they are called, and a line feed or an escape sequence in a name is not to act on the terminal of
// whoever looks at it.
func Printable(text string) string {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	if utf8.ValidString(text) && !strings.ContainsFunc(text, hidden) {
		return text
	}
	return strconv.Quote(text)
}

// wide are the characters that take two columns of a terminal: the scripts of East Asia, full forms and emoji.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, {Lo: 0x2e80, Hi: 0x303e, Stride: 1}, {Lo: 0x3041, Hi: 0x4dbf, Stride: 1},
		{Lo: 0x4e00, Hi: 0xa4cf, Stride: 1}, {Lo: 0xa960, Hi: 0xa97f, Stride: 1}, {Lo: 0xac00, Hi: 0xd7a3, Stride: 1},
		{Lo: 0xf900, Hi: 0xfaff, Stride: 1}, {Lo: 0xfe30, Hi: 0xfe6f, Stride: 1}, {Lo: 0xff00, Hi: 0xff60, Stride: 1},
		{Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x1f300, Hi: 0x1f64f, Stride: 1}, {Lo: 0x1f680, Hi: 0x1f6ff, Stride: 1}, {Lo: 0x1f900, Hi: 0x1f9ff, Stride: 1},
		{Lo: 0x20000, Hi: 0x3fffd, Stride: 1},
	},
}

// width is how many columns of a terminal a text takes, as good as that can be known.
func width(text string) (n int) {
	for _, r := range text {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me):
		case unicode.Is(wide, r):
			n += 2
		default:
			n++
		}
	}
	return n
}
