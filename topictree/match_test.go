package topictree

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A row says whether a filter matches a topic.
type row struct {
	statement, filter, topic, why string
	matches                       bool
}

// rows reads testdata/match.tsv.
func rows(t *testing.T) (all []row) {
	data, err := os.ReadFile("testdata/match.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 5 || f[3] != "yes" && f[3] != "no" {
			t.Fatalf("match.tsv:%d: want statement, filter, topic, yes or no, why", i+1)
		}
		filter, err1 := strconv.Unquote(f[1])
		topic, err2 := strconv.Unquote(f[2])
		if err1 != nil || err2 != nil {
			t.Fatalf("match.tsv:%d: filter %v, topic %v", i+1, err1, err2)
		}
		all = append(all, row{f[0], filter, topic, f[4], f[3] == "yes"})
	}
	return all
}

// TestMatchTable checks each row for itself and, to show that filters do not
// disturb each other, with the filters of all rows in one tree. MQTT-4.7.1-2
// MQTT-4.7.1-3 MQTT-4.7.2-1 MQTT-4.7.3-1 MQTT-4.7.3-3 MQTT-4.7.3-4.
func TestMatchTable(t *testing.T) {
	all := rows(t)
	for prefixLevels := 1; prefixLevels <= 4; prefixLevels++ {
		options := Options{Shards: 4, PrefixLevels: prefixLevels}
		everything, m := New[int](options), model{}
		for i, r := range all {
			everything.Subscribe(r.filter, i, 0)
			m.subscribe(r.filter, i, 0)
		}
		for i, r := range all {
			name := fmt.Sprintf("%s %q %q, %d levels choose the shard", r.statement, r.filter, r.topic, prefixLevels)
			if got := matches(r.filter, r.topic); got != r.matches {
				t.Errorf("%s: the oracle says %v, want %v: %s", name, got, r.matches, r.why)
			}
			alone := New[int](options)
			alone.Subscribe(r.filter, i, 0)
			var found Matches[int]
			alone.Match([]byte(r.topic), &found)
			if got := found.Len() == 1; got != r.matches {
				t.Errorf("%s: matches %v, want %v: %s", name, got, r.matches, r.why)
			}
			check(t, everything, m, r.topic, &found)
		}
	}
}

// TestMatchTableNamesStatements holds the table to the statements of section
// 4.7 that are the tree's to keep. The others are refused by the codec:
// wildcards in topic names (MQTT-4.7.1-1), U+0000 (MQTT-4.7.3-2).
func TestMatchTableNamesStatements(t *testing.T) {
	rows := rows(t)
	for _, statement := range []string{
		"MQTT-4.7.1-2", "MQTT-4.7.1-3", "MQTT-4.7.2-1", "MQTT-4.7.3-1", "MQTT-4.7.3-3", "MQTT-4.7.3-4",
	} {
		if !slices.ContainsFunc(rows, func(r row) bool { return r.statement == statement }) {
			t.Errorf("no row for %s", statement)
		}
	}
}

// TestLongestTopic matches names of 65,535 bytes, the most there can be
// (MQTT-4.7.3-3): one level, and as many levels as fit.
func TestLongestTopic(t *testing.T) {
	level, levels := strings.Repeat("x", 65_535), strings.Repeat("/", 65_535)
	tree, m := New[int](Options{}), model{}
	for i, filter := range []string{level, levels, "#", "+", "/#", strings.Repeat("+/", 32_767) + "#"} {
		tree.Subscribe(filter, i, 1)
		m.subscribe(filter, i, 1)
	}
	var found Matches[int]
	for _, topic := range []string{level, levels, levels[1:], level[1:]} {
		check(t, tree, m, topic, &found)
	}
}

// TestStrangeInputIsHarmless subscribes and matches what no codec lets through: the tree
// promises nothing for it but to stay up.
func TestStrangeInputIsHarmless(t *testing.T) {
	tree := New[int](Options{})
	strange := []string{"", "a#", "#/a", "a/#/b", "++", "+a/b", "\x00", "\xff/\xfe", "##", "a/b#/c"}
	for _, filter := range strange {
		tree.Subscribe(filter, 1, 1)
	}
	var found Matches[int]
	for _, topic := range append(strange, "+", "#", "a/+") {
		tree.Match([]byte(topic), &found)
		result(t, &found)
	}
	for _, filter := range strange {
		if !tree.Unsubscribe(filter, 1) {
			t.Errorf("Unsubscribe(%q) found nothing", filter)
		}
	}
	if st := tree.Stats(); st.Nodes != 0 {
		t.Errorf("%+v is left", st)
	}
}
