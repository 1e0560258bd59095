package logstore

import (
	"errors"
	"sync"
	"sync/atomic"

	"sampan/session/wal"
)

// upkeep keeps the log short: it writes a checkpoint when enough has been written since the last, copies
// forward what holds old segments, and gives up those that nobody needs. One goroutine does it, in small
// steps; it ends with Close.
type upkeep struct {
	s     *Store
	since atomic.Int64 // bytes written since the last checkpoint began
	limit atomic.Int64 // when the next is due
	wake  chan struct{}
	quit  chan struct{}
	done  sync.WaitGroup

	// Of the goroutine alone:
	begin wal.Pos // of the last complete checkpoint
	size  int64   // bytes of the last checkpoint
	step  int     // bytes since the last wait

	mu      sync.Mutex // guards trouble
	trouble error
}

// spacing is how many times its own size is written to the log after a checkpoint before the next: so a large
// backlog costs little to keep, and a recovery is still a matter of so many bytes a message.
const spacing = 8

// errStopped ends the upkeep's work when the store is closed.
var errStopped = errors.New("logstore: stopped")

// resume notes what a recovery found: where the last checkpoint began, and how much was read from there.
func (u *upkeep) resume(begin wal.Pos, read int64) {
	u.begin = begin
	u.since.Store(read)
}

func (u *upkeep) start(s *Store) {
	u.s = s
	u.wake = make(chan struct{}, 1)
	u.quit = make(chan struct{})
	u.limit.Store(s.o.CheckpointBytes)
	u.wrote(0)
	u.done.Go(u.run)
}

func (u *upkeep) stop() {
	close(u.quit)
	u.done.Wait()
}

// wrote notes that so much was appended.
func (u *upkeep) wrote(n int) {
	if u.since.Add(int64(n)) >= u.limit.Load() {
		select {
		case u.wake <- struct{}{}:
		default:
		}
	}
}

func (u *upkeep) run() {
	for {
		select {
		case <-u.wake:
		case <-u.quit:
			return
		}
		if u.since.Load() < u.limit.Load() {
			continue
		}
		err := u.checkpoint()
		if err == nil {
			u.limit.Store(max(u.s.o.CheckpointBytes, spacing*u.size))
			err = u.trim()
		}
		if err == nil {
			err = u.compact()
		}
		if errors.Is(err, errStopped) || errors.Is(err, wal.ErrClosed) {
			return
		}
		if err != nil {
			// A failure of the log stops the store; any other only the upkeep, which tries again when
			// as much has been written.
			u.since.Store(0)
		}
		u.mu.Lock()
		u.trouble = err
		u.mu.Unlock()
	}
}

// Trouble returns why the last checkpoint failed, or nil. Until one succeeds, the log grows, and a recovery
// takes longer; nothing is lost.
func (s *Store) Trouble() error {
	s.upkeep.mu.Lock()
	defer s.upkeep.mu.Unlock()
	return s.upkeep.trouble
}

// pace counts what the upkeep writes, and waits now and then until it is synced. It fails when the store is
// being closed.
func (u *upkeep) pace(n int) error {
	u.size += int64(n)
	if u.step += n; u.step >= stepBytes {
		u.step = 0
		if err := u.s.log.Wait(); err != nil {
			return err
		}
	}
	select {
	case <-u.quit:
		return errStopped
	default:
		return nil
	}
}

// trim gives up the segments before the last checkpoint in which no message is waited for.
func (u *upkeep) trim() error {
	keep := u.begin.Segment()
	for segment := range u.s.index.table.live() {
		keep = min(keep, segment)
	}
	// That a message is not waited for any more must hold before it goes: it may have been said just now.
	if err := u.s.log.Wait(); err != nil {
		return err
	}
	return u.s.log.Truncate(wal.At(keep, 0))
}
