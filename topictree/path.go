package topictree

import (
	"bytes"
	"strings"
)

// maxDepth is how many leading literal levels of a filter are found by one
// table lookup; further ones are found level by level. The platform allows 8
// levels; 16 leaves room and keeps the set of depths in 32 bits.
const maxDepth = 16

// A path is a topic filter taken apart: the literal levels it starts with, up
// to maxDepth, and the rest.
type path struct {
	depth  int    // literal levels in prefix
	prefix string // empty too for one empty level: depth tells
	hash   uint64 // of prefix
	more   bool   // there is a rest: a wildcard, or levels beyond maxDepth
	rest   string
}

func parse(filter string) path {
	depth, end, next := 0, 0, 0 // the prefix is filter[:end], the rest filter[next:]
	for depth < maxDepth {
		level, _, more := strings.Cut(filter[next:], "/")
		if level == "+" || level == "#" {
			break
		}
		depth++
		end = next + len(level)
		if !more {
			return path{depth: depth, prefix: filter}
		}
		next = end + 1
	}
	return path{depth: depth, prefix: filter[:end], more: true, rest: filter[next:]}
}

// leading returns the first n levels of a literal that has more than n.
func leading(literal string, n int) string {
	end := -1
	for range n {
		end += 1 + strings.IndexByte(literal[end+1:], '/')
	}
	return literal[:end]
}

// levelEnds fills ends with the offset behind each of the first maxDepth
// levels of topic and returns how many levels those are, and whether they are
// all.
func levelEnds(topic []byte, ends *[maxDepth]int) (n int, all bool) {
	start := 0
	for n < maxDepth {
		i := bytes.IndexByte(topic[start:], '/')
		if i < 0 {
			ends[n] = len(topic)
			return n + 1, true
		}
		ends[n] = start + i
		n++
		start += i + 1
	}
	return n, false
}
