package topictree

// Matches is the result of a Match. The zero value is ready for use. It belongs
// to one goroutine at a time and is meant to be kept: Current tells whether it
// still holds for a topic, and the next Match uses its memory again.
//
// As long as it holds a result it keeps the subscribers in memory, even those
// that have unsubscribed since: an owner who falls idle should Reset it.
type Matches[S comparable] struct {
	tree           *Tree[S]
	shard          *shard[S] // the one that topic belongs to
	generation     uint64    // of shard, when the match began
	wildGeneration uint64    // of the tree's wild shard, when the match began
	topic          []byte

	count int
	lists []matched    // the lists that matched
	found [][]Entry[S] // their chunks
	merge *merge[S]    // of the lists; nil until there were several
}

// A matched list has the chunks found[start:end].
type matched struct {
	start, end int
	count      int
	spread     bool // over the chunks by hash
}

// Len returns the number of subscribers.
func (m *Matches[S]) Len() int { return m.count }

// Chunks returns the subscribers, each exactly once, in no order that means
// anything; a chunk may be empty. Nobody changes them: not the tree, whatever
// is subscribed later, and not the caller. They are valid until the next Match
// with m or its Reset.
func (m *Matches[S]) Chunks() [][]Entry[S] {
	if len(m.lists) > 1 {
		return m.merge.chunks
	}
	return m.found
}

// Reset lets go of the result and of all memory. Afterwards m is Current for no
// topic.
func (m *Matches[S]) Reset() { *m = Matches[S]{} }

// Current reports whether m is the result of a Match of topic in this tree and
// a new Match would find the same. It may say no although nothing relevant has
// changed, when another topic of the same shard has; it never says yes after
// Subscribe or Unsubscribe have returned from a change that matters. It costs
// two loads and the comparison of topic.
func (t *Tree[S]) Current(m *Matches[S], topic []byte) bool {
	return m.tree == t &&
		m.generation == m.shard.generation.Load() &&
		m.wildGeneration == t.wild.generation.Load() &&
		string(m.topic) == string(topic)
}

// begin readies m for the lists of a new match. The generations are read before
// the tree is: if a change is missed, its generation comes later.
func (m *Matches[S]) begin(t *Tree[S], sh *shard[S], topic []byte) {
	m.tree, m.shard = t, sh
	m.generation = sh.generation.Load()
	m.wildGeneration = t.wild.generation.Load()
	m.topic = append(m.topic[:0], topic...)
	if len(m.lists) > 1 {
		m.merge.reset()
	}
	clear(m.found) // or the tail of a long result would stay in memory
	m.count, m.lists, m.found = 0, m.lists[:0], m.found[:0]
}

// add takes a list into the result.
func (m *Matches[S]) add(l *list[S]) {
	if head := l.head.Load(); head != nil {
		m.addChunks(head)
	}
}

func (m *Matches[S]) addChunks(head *chunk[S]) {
	list := matched{start: len(m.found), count: len(head.entries)}
	if head.spread == nil {
		m.found = append(m.found, readOnly(head.entries))
	} else {
		list.spread = true
		for i := range head.spread.chunks {
			entries := head.spread.chunks[i].Load().entries
			m.found = append(m.found, readOnly(entries))
			list.count += len(entries)
		}
	}
	list.end = len(m.found)
	m.lists = append(m.lists, list)
	m.count += list.count
}

// readOnly returns entries without the room behind them, where the tree writes.
func readOnly[S comparable](entries []Entry[S]) []Entry[S] {
	return entries[:len(entries):len(entries)]
}

// finish merges the lists if there are several.
func (m *Matches[S]) finish() {
	if len(m.lists) > 1 {
		if m.merge == nil {
			m.merge = new(merge[S])
		}
		m.count = m.merge.all(m.tree.seed, m.lists, m.found)
	}
}
