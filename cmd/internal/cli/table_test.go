package cli

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	var out strings.Builder
	rows := [][]string{
		{"a", "plain", "1"},
		{"b", "温度计", "2"},
		{"c", "ab" + "e\u0301", ""},
		{"d", "evil\n\x1b[31mred", "3"},
		{"e", "\xff", "4"},
		{"", "\u202egnp.exe", "5"},
	}
	Table(&out, []string{"ID", "NAME", "QUEUED"}, rows)
	const want = `ID  NAME                 QUEUED
a   plain                1
b   温度计               2
c   abé                  -
d   "evil\n\x1b[31mred"  3
e   "\xff"               4
-   "\u202egnp.exe"      5
`
	if strings.ReplaceAll(out.String(), "e\u0301", "é") != want {
		t.Errorf("the table is\n%s\nwant\n%s", out.String(), want)
	}
	if rows[5][0] != "" {
		t.Error("the rows have changed")
	}
}
