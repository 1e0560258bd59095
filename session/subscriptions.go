package session

import (
	"iter"
	"slices"
)

// subscriptions are a session's topic filters. Most clients have a few, for which a list takes a tenth of
// what a map would; beyond fewFilters there is a map into the list.
type subscriptions struct {
	list []Subscription
	at   map[string]int // where in list; nil while there are few
}

const fewFilters = 8

// find returns where filter is, or -1.
func (s *subscriptions) find(filter string) int {
	if s.at != nil {
		if i, ok := s.at[filter]; ok {
			return i
		}
		return -1
	}
	return slices.IndexFunc(s.list, func(sub Subscription) bool { return sub.Filter == filter })
}

// set adds a filter or replaces its QoS.
func (s *subscriptions) set(filter string, qos byte) {
	if i := s.find(filter); i >= 0 {
		s.list[i].QoS = qos
		return
	}
	s.list = append(s.list, Subscription{filter, qos})
	switch {
	case s.at != nil:
		s.at[filter] = len(s.list) - 1
	case len(s.list) > fewFilters:
		s.at = make(map[string]int, 2*fewFilters)
		for i, sub := range s.list {
			s.at[sub.Filter] = i
		}
	}
}

// remove takes a filter out and reports whether it was there. The last one takes its place.
func (s *subscriptions) remove(filter string) bool {
	i := s.find(filter)
	if i < 0 {
		return false
	}
	last := len(s.list) - 1
	s.list[i] = s.list[last]
	s.list[last] = Subscription{}
	s.list = s.list[:last]
	if s.at != nil {
		delete(s.at, filter)
		if i < last {
			s.at[s.list[i].Filter] = i
		}
		if last <= fewFilters/2 {
			s.at, s.list = nil, slices.Clone(s.list)
		}
	}
	return true
}

func (s *subscriptions) all() iter.Seq2[string, byte] {
	return func(yield func(string, byte) bool) {
		for _, sub := range s.list {
			if !yield(sub.Filter, sub.QoS) {
				return
			}
		}
	}
}

func (s *subscriptions) filters() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, sub := range s.list {
			if !yield(sub.Filter) {
				return
			}
		}
	}
}
