package permission

import "strings"

// node is a place in a tree of rules: the levels that lead to it, and what the rules that end there permit.
// Trees do not change once they are built.
type node struct {
	literals []edge
	product  *node     // the next level is the device's product key
	name     *node     // the next level is the device's name
	any      *node     // the next level is '+' in a rule
	here     operation // for topics that end here
	below    operation // for topics that end here or further down: '#'
}

// edge leads to a node by a level.
type edge struct {
	level string
	to    *node
}

// build makes a tree of those rules that permit something of what is wanted.
func build(want operation, lists ...[]rule) *node {
	root := new(node)
	for _, rules := range lists {
		for _, r := range rules {
			if r.allow &= want; r.allow != 0 {
				root.add(r)
			}
		}
	}
	return root
}

func (n *node) add(r rule) {
	for level := range strings.SplitSeq(r.filter, "/") {
		if level == "#" {
			n.below |= r.allow
			return
		}
		n = n.child(level)
	}
	n.here |= r.allow
}

// child returns the node behind a level of a rule, which may be new.
func (n *node) child(level string) *node {
	var at **node
	switch level {
	case "+":
		at = &n.any
	case productKey:
		at = &n.product
	case deviceName:
		at = &n.name
	default:
		for _, e := range n.literals {
			if e.level == level {
				return e.to
			}
		}
		n.literals = append(n.literals, edge{level, new(node)})
		return n.literals[len(n.literals)-1].to
	}
	if *at == nil {
		*at = new(node)
	}
	return *at
}
