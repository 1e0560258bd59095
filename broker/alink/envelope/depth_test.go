package envelope

import (
	"encoding/json"
	"strings"
	"testing"
)

// nested is n lists, each in the next.
func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func TestTooDeep(t *testing.T) {
	brackets := strings.Repeat("[{", MaxDepth)
	for _, test := range []struct {
		text string
		want bool
	}{
		{``, false},
		{`1`, false},
		{`{}`, false},
		{nested(MaxDepth), false},
		{nested(MaxDepth + 1), true},
		{strings.Repeat(`{"a":`, MaxDepth) + "1" + strings.Repeat("}", MaxDepth), false},
		{strings.Repeat(`{"a":`, MaxDepth+1) + "1" + strings.Repeat("}", MaxDepth+1), true},
		{`{"a":` + nested(MaxDepth-1) + `,"b":` + nested(MaxDepth-1) + `}`, false},
		{`{"a":1,"b":` + nested(MaxDepth) + `}`, true},
		{"[" + strings.Repeat("[],{},", 1000) + "[]]", false},
		// Brackets in strings are none, whatever is escaped before them.
		{`"` + brackets + `"`, false},
		{`{"` + brackets + `":"` + brackets + `"}`, false},
		{`["\"","` + brackets + `"]`, false},
		{`["\\\\",` + nested(MaxDepth) + `]`, true},
		{`["\\\"` + brackets + `"]`, false},
	} {
		if !json.Valid([]byte(test.text)) && test.text != "" {
			t.Errorf("%.60s is not JSON", test.text)
		}
		if got := TooDeep([]byte(test.text)); got != test.want {
			t.Errorf("%.60s (%d bytes): %v, want %v", test.text, len(test.text), got, test.want)
		}
	}
	// Text that is not JSON does no harm.
	for _, text := range []string{`"`, `"\\`, `]]]`, `{"a`, "\xff"} {
		TooDeep([]byte(text))
	}
	deep := []byte(nested(5000))
	if n := testing.AllocsPerRun(10, func() { TooDeep(deep) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
