// Package suggest finds the word that somebody probably meant.
package suggest

import "strings"

// Closest returns the candidate that is nearest to word, or "" if none is near: at most a third of the
// word's letters differ, and at least one letter is the same.
func Closest(word string, candidates []string) string {
	best, distance := "", max(len(word)/3, 1)+1
	for _, candidate := range candidates {
		if len(word) >= 3 && strings.HasPrefix(candidate, word) {
			return candidate
		}
		if d := edits(word, candidate); d < distance && d < len(candidate) {
			best, distance = candidate, d
		}
	}
	return best
}

// edits counts the insertions, deletions and replacements of bytes, and the swaps of two neighbours, that
// make b of a.
func edits(a, b string) int {
	// Three rows of the usual table: a swap looks back two.
	before, previous, current := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := range len(a) {
		current[0] = i + 1
		for j := range len(b) {
			replace := previous[j]
			if a[i] != b[j] {
				replace++
			}
			current[j+1] = min(replace, previous[j+1]+1, current[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				current[j+1] = min(current[j+1], before[j-1]+1)
			}
		}
		before, previous, current = previous, current, before
	}
	return previous[len(b)]
}
