package permission

import "bytes"

// publishes reports whether a topic may be published by a tree of system rules. Those of them that permit
// publishing leave no choice at any level, since no product is called like a level of theirs; so the walk
// follows one node.
func (c *Compiled) publishes(n *node, topic []byte, want operation) bool {
walk:
	for {
		if n.below&want != 0 {
			return true
		}
		level, rest, more := bytes.Cut(topic, slash)
		for i := range n.literals {
			if e := &n.literals[i]; string(level) == e.level {
				if n, topic = e.to, rest; more {
					continue walk
				}
				return (n.here|n.below)&want != 0
			}
		}
		switch {
		case n.product != nil && string(level) == c.productKey:
			n = n.product
		case n.name != nil && string(level) == c.deviceName:
			n = n.name
		case n.any != nil:
			n = n.any
		default:
			return false
		}
		if topic = rest; !more {
			return (n.here|n.below)&want != 0
		}
	}
}

// reach is a set of nodes that the levels read so far lead to. A topic category has at most five levels, and
// each leads from a node to at most two others, one by the level itself and one by '+'; so the arrays on the
// stack are large enough for all rules there can be.
type reach []*node

const largestReach = 1 << 5

// covers reports whether every topic that the filter can match is permitted. A topic name is a filter that
// matches itself. path is the filter without the levels that lead to start.
//
// The walk goes over the filter once, with all nodes that the rules have for it. For a wildcard only the
// rules' own wildcards count: the levels it matches include one that no rule names, and for any other level
// more is permitted, not less.
func (c *Compiled) covers(start *node, path []byte, want operation) bool {
	var now, next [largestReach]*node
	from, to := append(reach(now[:0]), start), reach(next[:0])
	for more := true; more; {
		var level []byte
		if level, path, more = bytes.Cut(path, slash); len(level) == 1 && level[0] == '#' {
			return from.coversRest(to, want)
		}
		if from.below(want) {
			return true
		}
		to = to[:0]
		for _, n := range from {
			to = c.step(n, level, to)
		}
		if len(to) == 0 {
			return false
		}
		from, to = to, from
	}
	for _, n := range from {
		if (n.here|n.below)&want != 0 {
			return true
		}
	}
	return false
}

var slash = []byte("/")

// below reports whether one of the nodes permits everything from here on.
func (r reach) below(want operation) bool {
	for _, n := range r {
		if n.below&want != 0 {
			return true
		}
	}
	return false
}

// coversRest reports whether everything from here on is permitted, by a rule with '#' or by rules for each
// further level up to one: "a/#" is covered by "a", "a/+" and "a/+/#" together.
func (r reach) coversRest(next reach, want operation) bool {
	for len(r) > 0 {
		if r.below(want) {
			return true
		}
		here := false
		next = next[:0]
		for _, n := range r {
			here = here || n.here&want != 0
			if n.any != nil {
				next = append(next, n.any)
			}
		}
		if !here {
			return false
		}
		r, next = next, r
	}
	return false
}

// step appends the nodes that a level of a filter leads to.
func (c *Compiled) step(n *node, level []byte, to reach) reach {
	if n.any != nil {
		to = append(to, n.any)
	}
	if len(level) == 1 && level[0] == '+' {
		return to
	}
	for i := range n.literals {
		if string(level) == n.literals[i].level {
			to = append(to, n.literals[i].to)
			break
		}
	}
	if n.product != nil && string(level) == c.productKey {
		to = append(to, n.product)
	}
	if n.name != nil && string(level) == c.deviceName {
		to = append(to, n.name)
	}
	return to
}
