package wal

import "sync"

// notifier runs the callbacks of Sync, in order, away from the committer: what they wait for, and how long
// thousands of them take, does not hold up the next write.
type notifier struct {
	mu    sync.Mutex // guards all below; taken inside the log's
	cond  sync.Cond
	queue []notes
	busy  bool // callbacks that were in queue are running
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

// behind puts a callback behind those that have not run yet, and reports whether there are any; if not, it may
// run at once.
func (n *notifier) behind(done func(error), err error) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.queue) == 0 && !n.busy {
		return false
	}
	n.queue = append(n.queue, notes{[]func(error){done}, err})
	return true
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
		n.busy = false
		for len(n.queue) == 0 && !n.ended {
			n.cond.Wait()
		}
		queue := n.queue
		n.queue, n.busy = nil, len(queue) > 0
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
