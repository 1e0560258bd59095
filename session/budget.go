package session

import "sync/atomic"

// Budget bounds what all sessions of a broker queue together. The zero value bounds nothing. It is safe
// for concurrent use.
type Budget struct {
	// MaxMessages and MaxBytes are the bounds; 0 means none. They are set before the first use.
	MaxMessages, MaxBytes int64

	messages, bytes atomic.Int64
}

// Messages and Bytes are what is queued now, messages for n sessions counted n times.
func (b *Budget) Messages() int64 { return b.messages.Load() }

// Bytes is the size of the PUBLISH packets that are queued now.
func (b *Budget) Bytes() int64 { return b.bytes.Load() }

func (b *Budget) room(size int32) bool {
	return (b.MaxMessages <= 0 || b.messages.Load() < b.MaxMessages) &&
		(b.MaxBytes <= 0 || b.bytes.Load()+int64(size) <= b.MaxBytes)
}

func (b *Budget) add(messages, bytes int64) {
	b.messages.Add(messages)
	b.bytes.Add(bytes)
}
