// Package stores compares the durable store with storage engines that could be in its place: messages of 256
// bytes into 1,000 queues, each acknowledged when it survives a power cut. It is a module of its own, so that
// nobody who embeds the broker downloads the engines.
package stores

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/dgraph-io/badger/v4"
	"go.etcd.io/bbolt"

	"sampan/session"
	"sampan/session/logstore"
)

// Queues is how many queues the messages go to.
const Queues = 1000

// Engine stores messages. Put returns when the message is durable; Done, which need not be durable, takes
// the n first messages out of a queue. Both are called concurrently, but for one queue in order.
type Engine interface {
	Put(queue int, message []byte) error
	Done(queue, n int) error
	Close() error
}

// Engines opens each engine in a directory, by name.
var Engines = []struct {
	Name string
	Open func(dir string) (Engine, error)
}{
	{"sampan", openSampan},
	{"pebble", openPebble},
	{"badger", openBadger},
	{"bbolt", openBolt},
}

// sampan is the store as the broker uses it, with its index and checkpoints.
type sampan struct {
	store  *logstore.Store
	ids    []session.ID
	mu     [Queues]sync.Mutex // guards queued
	queued [Queues][]session.Ref
}

func openSampan(dir string) (Engine, error) {
	s, err := logstore.Open(dir, logstore.Options{})
	if err != nil {
		return nil, err
	}
	e := &sampan{store: s}
	for range Queues {
		id, err := s.Open("queue")
		if err != nil {
			return nil, err
		}
		e.ids = append(e.ids, id)
	}
	return e, nil
}

func (e *sampan) Put(queue int, message []byte) error {
	m := session.NewMessage([]byte("t"), message, 0)
	e.mu[queue].Lock()
	err := e.store.Append(m, e.ids[queue:queue+1])
	e.queued[queue] = append(e.queued[queue], m.Ref())
	e.mu[queue].Unlock()
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	e.store.Sync(func(err error) { done <- err })
	return <-done
}

func (e *sampan) Done(queue, n int) error {
	e.mu[queue].Lock()
	defer e.mu[queue].Unlock()
	n = min(n, len(e.queued[queue]))
	changes := make([]session.Change, n)
	for i, r := range e.queued[queue][:n] {
		changes[i] = session.Change{Kind: session.Done, Session: e.ids[queue], Ref: r}
	}
	e.queued[queue] = append(e.queued[queue][:0], e.queued[queue][n:]...)
	return e.store.Record(changes)
}

func (e *sampan) Close() error { return e.store.Close() }

// entry is a key that is put, or deleted.
type entry struct {
	key, value []byte
}

// grouped gives an engine of keys and values what the log has by itself: one committer that writes with one
// sync what all producers have gathered in the meantime. Keys are queue and number.
type grouped struct {
	queue  chan request
	ended  chan struct{}
	mu     [Queues]sync.Mutex // guards first and next
	first  [Queues]uint64     // the first message in the queue
	next   [Queues]uint64
	closer func() error
}

type request struct {
	entry
	done chan error
}

// maxGroup is the largest group.
const maxGroup = 4096

func group(commit func(put, drop []entry) error, closer func() error) *grouped {
	g := &grouped{queue: make(chan request, maxGroup), ended: make(chan struct{}), closer: closer}
	go func() {
		defer close(g.ended)
		for r := range g.queue {
			var waiting []chan error
			var put, drop []entry
			for more := true; more; {
				if r.value != nil {
					put = append(put, r.entry)
				} else {
					drop = append(drop, r.entry)
				}
				if r.done != nil {
					waiting = append(waiting, r.done)
				}
				if len(put) == maxGroup {
					break
				}
				select {
				case r, more = <-g.queue:
				default:
					more = false
				}
			}
			err := commit(put, drop)
			for _, done := range waiting {
				done <- err
			}
		}
	}()
	return g
}

func key(queue int, n uint64) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 12), uint32(queue))
	return binary.BigEndian.AppendUint64(b, n)
}

func (g *grouped) Put(queue int, message []byte) error {
	g.mu[queue].Lock()
	n := g.next[queue]
	g.next[queue]++
	g.mu[queue].Unlock()
	done := make(chan error, 1)
	g.queue <- request{entry{key(queue, n), message}, done}
	return <-done
}

func (g *grouped) Done(queue, n int) error {
	g.mu[queue].Lock()
	defer g.mu[queue].Unlock()
	for ; n > 0 && g.first[queue] < g.next[queue]; n-- {
		g.queue <- request{entry: entry{key: key(queue, g.first[queue])}}
		g.first[queue]++
	}
	return nil
}

func (g *grouped) Close() error {
	close(g.queue)
	<-g.ended
	return g.closer()
}

func openPebble(dir string) (Engine, error) {
	db, err := pebble.Open(dir, &pebble.Options{Logger: quiet{}})
	if err != nil {
		return nil, err
	}
	return group(func(put, drop []entry) error {
		b := db.NewBatch()
		defer b.Close()
		for _, e := range put {
			if err := b.Set(e.key, e.value, nil); err != nil {
				return err
			}
		}
		for _, e := range drop {
			if err := b.Delete(e.key, nil); err != nil {
				return err
			}
		}
		return b.Commit(pebble.Sync)
	}, db.Close), nil
}

// quiet drops what pebble has to say, but not that it cannot go on.
type quiet struct{}

func (quiet) Infof(string, ...any)         {}
func (quiet) Errorf(string, ...any)        {}
func (quiet) Fatalf(f string, args ...any) { panic(f) }

func openBadger(dir string) (Engine, error) {
	db, err := badger.Open(badger.DefaultOptions(dir).WithSyncWrites(true).WithLogger(nil))
	if err != nil {
		return nil, err
	}
	return group(func(put, drop []entry) error {
		b := db.NewWriteBatch()
		defer b.Cancel()
		for _, e := range put {
			if err := b.Set(e.key, e.value); err != nil {
				return err
			}
		}
		for _, e := range drop {
			if err := b.Delete(e.key); err != nil {
				return err
			}
		}
		return b.Flush()
	}, db.Close), nil
}

func openBolt(dir string) (Engine, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	db, err := bbolt.Open(filepath.Join(dir, "db"), 0o600, nil)
	if err != nil {
		return nil, err
	}
	bucket := []byte("messages")
	if err := db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	}); err != nil {
		return nil, err
	}
	return group(func(put, drop []entry) error {
		return db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucket)
			for _, e := range put {
				if err := b.Put(e.key, e.value); err != nil {
					return err
				}
			}
			for _, e := range drop {
				if err := b.Delete(e.key); err != nil {
					return err
				}
			}
			return nil
		})
	}, db.Close), nil
}
