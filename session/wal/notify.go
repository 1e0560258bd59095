package wal

import "sync"

// notifier runs the callbacks of Sync, in order, away from the committer: what they wait for, and how long
// thousands of them take, does not hold up the next write.
type notifier struct {
	mu    sync.Mutex // guards all below
	cond  sync.Cond
	queue []notes
	ended bool
}

// notes are callbacks that get the same answer.
type notes struct {
	done []func(error)
	err  error
}

func (n *notifier) init() { n.cond.L = &n.mu }

func (n *notifier) send(done []func(error), err error) {
	if len(done) == 0 {
		return
	}
	n.mu.Lock()
	n.queue = append(n.queue, notes{done, err})
	n.mu.Unlock()
	n.cond.Signal()
}

// end lets run return when it has sent everything.
func (n *notifier) end() {
	n.mu.Lock()
	n.ended = true
	n.mu.Unlock()
	n.cond.Signal()
}

func (n *notifier) run() {
	for {
		n.mu.Lock()
		for len(n.queue) == 0 && !n.ended {
			n.cond.Wait()
		}
		queue := n.queue
		n.queue = nil
		n.mu.Unlock()
		if len(queue) == 0 {
			return
		}
		for _, q := range queue {
			for _, done := range q.done {
				done(q.err)
			}
		}
	}
}
