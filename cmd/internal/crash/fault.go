package crash

import "fmt"

// Kind is what a broker can do wrong; see the package comment.
type Kind string

// The kinds of faults.
const (
	Lost         Kind = "lost"
	Reordered    Kind = "reordered"
	Doubled      Kind = "doubled"
	Damaged      Kind = "damaged"
	Unsubscribed Kind = "unsubscribed"
	NoSession    Kind = "session"
	Identifier   Kind = "identifier"
	Broker       Kind = "broker"
)

// kinds are all of them, in the order of reports.
var kinds = []Kind{Lost, Reordered, Doubled, Damaged, Unsubscribed, NoSession, Identifier, Broker}

// Fault is one broken promise.
type Fault struct {
	Kind Kind   `json:"kind"`
	What string `json:"what"`
}

func (f Fault) String() string { return string(f.Kind) + ": " + f.What }

// maxExamples bounds the faults that a report describes; all are counted.
const maxExamples = 20

// faults counts faults and keeps the first ones.
type faults struct {
	counts   map[Kind]int
	examples []Fault
}

func (f *faults) add(k Kind, format string, args ...any) {
	if f.counts == nil {
		f.counts = map[Kind]int{}
	}
	f.counts[k]++
	if len(f.examples) < maxExamples {
		f.examples = append(f.examples, Fault{k, fmt.Sprintf(format, args...)})
	}
}

func (f *faults) total() (n int) {
	for _, count := range f.counts {
		n += count
	}
	return n
}
