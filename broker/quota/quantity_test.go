package quota

import (
	"bytes"
	"log/slog"
	"reflect"
	"strings"
	"testing"
)

// Every field of the table is a quantity with a name of its own, or a rate.
func TestEveryFieldOfTheTableHasAName(t *testing.T) {
	seen := map[string]bool{}
	l := new(Limits)
	for i, q := range Quantities() {
		if q.Name == "" || q.Help == "" || seen[q.Name] {
			t.Errorf("quantity %d: %q, %q", i, q.Name, q.Help)
		}
		seen[q.Name] = true
		if q.Value(l) != 0 {
			t.Errorf("%s is a field that another quantity has set", q.Name)
		}
		q.Set(l, int64(i+1))
		if q.Value(l) != int64(i+1) {
			t.Errorf("%s is %d, want %d", q.Name, q.Value(l), i+1)
		}
	}
	fields := reflect.TypeFor[Limits]()
	if n := fields.NumField() - 1; n != len(seen) { // all but Rates
		t.Errorf("%d quantities for %d fields", len(seen), n)
	}
	platform := Platform()
	for _, q := range Quantities() {
		if q.Value(platform) <= 0 {
			t.Errorf("%s has no default", q.Name)
		}
	}
	for _, item := range Items() {
		if seen[item.String()] {
			t.Errorf("%s is a quantity and a rate", item)
		}
		if !platform.Rate(item).Limited() {
			t.Errorf("%s has no default", item)
		}
	}
}

func TestAMeterCountsAndLogsSparsely(t *testing.T) {
	var log bytes.Buffer
	m := &Meter{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	for range 5 {
		m.Refused("shadow", "pk/dn", 16, 17)
	}
	m.Count("payload")
	if c := m.Counts(); c["shadow"] != 5 || c["payload"] != 1 || len(c) != 2 {
		t.Errorf("%v", c)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[2], "rule=shadow client=pk/dn limit=16 value=17 count=4") {
		t.Errorf("%q", lines)
	}
}
