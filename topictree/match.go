package topictree

import (
	"bytes"
	"hash/maphash"
	"math/bits"
)

// Match fills m with the subscribers that topic reaches, each once, with the
// highest QoS among those of its filters that match. What m held before is
// gone. Match finds what was subscribed when it began and is not removed before
// it ends; what comes and goes meanwhile it may or may not find. It takes no
// lock and, once m has grown, allocates nothing. It does not keep topic.
func (t *Tree[S]) Match(topic []byte, m *Matches[S]) {
	q := query{topic: topic}
	q.levels, q.whole = levelEnds(topic, &q.ends)
	q.hashed = min(q.levels, t.prefixLevels)
	q.hash = maphash.Bytes(t.seed, q.prefix(q.hashed))
	sh := t.shard(q.hash)
	m.begin(t, sh, topic)
	t.wild.match(&q, m)
	sh.match(&q, m)
	m.finish()
}

// A query is a topic name with its first levels found.
type query struct {
	topic  []byte
	ends   [maxDepth]int // offset behind each of the first levels
	levels int           // how many of them there are
	whole  bool          // there are no more
	hashed int           // hash is that of so many levels
	hash   uint64
}

// prefix returns the first depth levels, for depth > 0.
func (q *query) prefix(depth int) []byte { return q.topic[:q.ends[depth-1]] }

// match adds the lists of sh that the topic reaches to m. It looks up only the
// depths at which the shard has something for a topic of so many levels.
func (sh *shard[S]) match(q *query, m *Matches[S]) {
	depths := sh.opens.Load() & (1<<(q.levels+1) - 1)
	if q.whole {
		depths |= sh.ends.Load() & (1 << q.levels)
	}
	// A wildcard in the first place does not match a $ (MQTT-4.7.2-1).
	if depths&1 != 0 && len(q.topic) > 0 && q.topic[0] == '$' {
		depths &^= 1
	}
	if depths&1 != 0 {
		sh.descend(&sh.root, q.topic, m)
	}
	for depths &^= 1; depths != 0; depths &= depths - 1 {
		depth := bits.TrailingZeros32(depths)
		prefix, hash := q.prefix(depth), q.hash
		if depth != q.hashed {
			hash = maphash.Bytes(sh.seed, prefix)
		}
		switch n := lookup(&sh.prefixes[depth], hash, nil, prefix); {
		case n == nil:
		case len(prefix) == len(q.topic):
			n.arrive(m)
		default:
			sh.descend(n, q.topic[len(prefix)+1:], m)
		}
	}
}

// descend adds the lists of n, and below n, that the remaining levels of the
// topic reach. It visits no node twice, so it never costs more than there are
// nodes, however the wildcards are placed.
func (sh *shard[S]) descend(n *node[S], levels []byte, m *Matches[S]) {
	for more := true; more; {
		m.add(&n.multi)
		var level []byte
		level, levels, more = cutLevel(levels)
		if !more {
			m.add(&n.single)
		}
		if plus := n.plus.Load(); plus != nil {
			if more {
				sh.descend(plus, levels, m)
			} else {
				plus.arrive(m)
			}
		}
		if n.kids.Load() == 0 {
			return
		}
		n = lookup(&sh.levels, n.below(maphash.Bytes(sh.seed, level)), n, level)
		if n == nil {
			return
		}
	}
	n.arrive(m)
}

// arrive adds the lists of n, at which the topic ends: "a/#" matches "a" too.
func (n *node[S]) arrive(m *Matches[S]) {
	m.add(&n.exact)
	m.add(&n.multi)
}

// cutLevel returns the first level, and what follows its separator if there is
// one.
func cutLevel(levels []byte) (level, rest []byte, more bool) {
	if i := bytes.IndexByte(levels, '/'); i >= 0 {
		return levels[:i], levels[i+1:], true
	}
	return levels, nil, false
}
