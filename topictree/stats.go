package topictree

// Stats describe what a tree holds.
type Stats struct {
	Subscriptions int // pairs of a filter and a subscriber
	Filters       int // different filters
	WildFilters   int // of these, with a wildcard within the first PrefixLevels
	Nodes         int // that the table holds, and slots for them: the tree's
	Slots         int // size and fill, for those who watch its memory
}

// Stats adds up the shards one after the other, each under its lock.
func (t *Tree[S]) Stats() (st Stats) {
	for i := range t.shards {
		t.shards[i].stats(&st)
	}
	filters := st.Filters
	t.wild.stats(&st)
	st.WildFilters = st.Filters - filters
	return st
}

func (sh *shard[S]) stats(st *Stats) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	st.Subscriptions += sh.subscriptions
	st.Filters += sh.filters
	sh.levels.addTo(st)
	for i := range sh.prefixes {
		sh.prefixes[i].addTo(st)
	}
}

func (x *index[S]) addTo(st *Stats) {
	if t := x.table.Load(); t != nil {
		st.Nodes += t.live
		st.Slots += len(t.slots)
	}
}
