package value

import (
	"fmt"
	"slices"
	"strings"

	"sampan/cmd/internal/suggest"
)

// Word is one of a few words.
type Word struct {
	words []string
	at    int
}

// OneOf returns the setting that is one of words; the first is its default.
func OneOf(words ...string) Word { return Word{words: words} }

// Set reads the word.
func (w *Word) Set(text string) error {
	at := slices.Index(w.words, text)
	if at < 0 {
		if meant := suggest.Closest(text, w.words); meant != "" {
			return fmt.Errorf("not one of %s; did you mean %s?", strings.Join(w.words, ", "), meant)
		}
		return fmt.Errorf("not one of %s", strings.Join(w.words, ", "))
	}
	w.at = at
	return nil
}

// String is the word.
func (w Word) String() string {
	if len(w.words) == 0 {
		return ""
	}
	return w.words[w.at]
}

// Type shows the words in --help.
func (w *Word) Type() string { return strings.Join(w.words, "|") }
