// Package filters keeps the topic filters of sessions for the stores, and counts what they take.
package filters

// Set is the filters of a session with the granted QoS of each. The zero value is empty.
type Set map[string]byte

// Sum counts the filters of many sessions.
type Sum struct {
	Filters int
	Bytes   int // of their text
}

// Put adds a filter, or changes its QoS.
func (s *Set) Put(filter string, qos byte, sum *Sum) {
	if _, replaced := (*s)[filter]; !replaced {
		sum.Filters++
		sum.Bytes += len(filter)
	}
	if *s == nil {
		*s = make(Set)
	}
	(*s)[filter] = qos
}

// Remove takes a filter out, if it is there.
func (s Set) Remove(filter string, sum *Sum) {
	if _, found := s[filter]; found {
		sum.Filters--
		sum.Bytes -= len(filter)
		delete(s, filter)
	}
}

// Drop takes all of them off the sum; the set is not used afterwards.
func (s Set) Drop(sum *Sum) {
	sum.Filters -= len(s)
	for filter := range s {
		sum.Bytes -= len(filter)
	}
}
