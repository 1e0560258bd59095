package network

import (
	"strconv"
	"strings"

	"sampan/fuzz/script"
)

// effect is of what kind the answers in a transcript were: the sequence of what each connection has received, without
// anything that begins with a digit and without payloads. There are few of them, so that scripts with a new one are
// worth changing.
func effect(said []string) string {
	return received(said, func(words []string) (kept []string) {
		for _, w := range words {
			if w != "id" && w[0] != '"' && !(w[0] >= '0' && w[0] <= '9') {
				kept = append(kept, w)
			}
		}
		return kept
	})
}

// answers is what each connection has received in a transcript, without what is up to a broker and means nothing:
// identifiers of packets. Payloads are those of the script.
func answers(said []string) string {
	return received(said, func(words []string) (kept []string) {
		for i := 0; i < len(words); i++ {
			switch w := words[i]; {
			case w == "id" && i > 2: // behind PUBLISH and its topic
				i++
			case w[0] == '"' && i > 2:
			case i == 2 && words[1] != "PUBLISH" && words[1] != "CONNACK": // an acknowledgement's
			default:
				kept = append(kept, w)
			}
		}
		return kept
	})
}

// received sorts a transcript by connections. Of what was sent only the packets' names are left; of what was received,
// the words that keep does.
func received(said []string, keep func(words []string) []string) string {
	var of [script.Conns]strings.Builder
	for _, line := range said {
		i := int(line[0] - 'A')
		if i < 0 || i >= len(of) || len(line) < 4 {
			continue
		}
		words := split(line[1:])
		if words[0] == ">" {
			of[i].WriteString(">" + words[1] + " ")
			continue
		}
		for _, w := range keep(words) {
			of[i].WriteString(w + " ")
		}
	}
	var all strings.Builder
	for i := range of {
		all.WriteString(of[i].String() + "\n")
	}
	return all.String()
}

// split returns the words of a line. What is in quotes is one.
func split(line string) (words []string) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		w, err := strconv.QuotedPrefix(line)
		if err != nil {
			w, _, _ = strings.Cut(line, " ")
		}
		words, line = append(words, w), line[len(w):]
	}
	return words
}
