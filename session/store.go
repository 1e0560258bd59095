package session

// ID names one session in its store. It is never zero and never given twice, also across restarts.
type ID uint64

// Subscription is a topic filter and the highest QoS at which messages are delivered for it.
type Subscription struct {
	Filter string
	QoS    byte
}

// Store keeps the sessions that outlive their connection (CleanSession 0): who they are, their
// subscriptions, and the QoS 1 messages that their clients have not acknowledged. The queue of a session is
// in the store; the session itself holds no more of it than it is about to send.
//
// Append and Record only take note; what they noted holds at the store's durability level when the
// callback of a later Sync says so. The broker acknowledges nothing to a client before that. A store that
// has failed once keeps failing: every call returns the error, and no Sync reports success again.
//
// All methods are safe for concurrent use, with one rule: the calls that name one session are made in the
// order in which they are to take effect (the broker makes them under that session's lock). Append, Record
// and Queue do not wait for a disk; Load, Recover and Close may.
type Store interface {
	// Open begins a session for an identity and returns its name; it is connected. The identity is unique
	// among the sessions that are open.
	Open(identity string) (ID, error)

	// Append stores m once and puts it at the end of the queue of every session in to. It names the
	// message (Message.SetRef). The store keeps m, or a copy of it, but does not keep the slice to. A message
	// for sessions none of which is open is not stored: its Ref is 0.
	Append(m *Message, to []ID) error

	// Record notes changes of sessions, in order. The store does not keep the slice.
	Record(changes []Change) error

	// Queue fills dst with what is queued for a session behind the message named after (0: from the
	// start), in order, and returns how many there were. It reads no message: see Load.
	Queue(id ID, after Ref, dst []Stored) int

	// Load returns a stored message. It fails with ErrNoMessage if no session has it in its queue, and with
	// ErrDamaged if it can never be read again: then the broker gives it up. After any other error the
	// message stays where it is and is asked for again.
	Load(r Ref) (*Message, error)

	// Sync calls done once, when everything noted before the call holds at the store's durability level,
	// or with the error that keeps it from holding. done may be called before Sync returns, and from any
	// goroutine, but not before those of all calls of Sync that had returned before: so what a client is
	// answered comes in the order of what it asked. It must not block.
	Sync(done func(error))

	// Recover calls fn for each session that the store holds, in no particular order. It is called once,
	// before any other method. A recovered session's fields belong to fn.
	Recover(fn func(*Recovered) error) error

	// Stats is a snapshot of the store's size and work.
	Stats() StoreStats

	// Close makes everything noted durable, as far as the level promises it, and releases what the store
	// holds. Later calls fail with ErrStoreClosed.
	Close() error
}

// PromptStore is a Store that can tell when it will not take its time.
type PromptStore interface {
	Store
	// Prompt reports whether Append and Record return without waiting for anything now, and after some
	// megabytes more. Who hears false gets ready to wait.
	Prompt() bool
}

// ChangeKind says what a Change is about.
type ChangeKind uint8

const (
	// Closed: the session has ended; it, its subscriptions and its queue are gone.
	Closed ChangeKind = iota + 1
	// Connected: a connection uses the session; it does not expire.
	Connected
	// Disconnected: no connection uses the session; it expires at Until (0: never). Messages in its queue up
	// to Ref may have been sent although no Sent says so.
	Disconnected
	// Subscribed: the subscription Filter, QoS was added, or its QoS replaced.
	Subscribed
	// Unsubscribed: the subscription Filter was removed.
	Unsubscribed
	// Sent: the queued message Ref has been given PacketID; a redelivery uses the same.
	Sent
	// Done: the message Ref leaves the session's queue: acknowledged, expired or dropped.
	Done
)

// Change is one change of one session. Only the fields that its Kind names are meaningful.
type Change struct {
	Kind     ChangeKind
	Session  ID
	QoS      byte
	PacketID uint16
	Ref      Ref
	Until    Time
	Filter   string
}

// Stored describes a queued message without loading it.
type Stored struct {
	Ref      Ref
	Size     int    // bytes of its PUBLISH packet
	PacketID uint16 // 0: never sent
	Expires  Time   // 0: never
}

// Recovered is a session as a store found it.
type Recovered struct {
	ID            ID
	Identity      string
	Connected     bool // a connection used it when the store stopped
	Until         Time // when it expires, if it was not connected; 0: never
	Doubtful      Ref  // Ref of the last Disconnected
	Subscriptions []Subscription
	Queued        int   // messages in its queue, in flight ones included
	QueuedBytes   int64 // their Stored.Size, added up
}

// StoreStats is a snapshot of a store.
type StoreStats struct {
	Level         string // "memory", "os" or "disk": what Sync promises
	Sessions      int
	Subscriptions int
	Messages      int   // stored messages, each counted once
	Queued        int   // places in queues: a message for n sessions counts n times
	Bytes         int64 // of stored messages, each counted once
	MemoryBytes   int64 // held in memory for all of this, estimated
	DiskBytes     int64 // of files, recycled ones included
	Syncs         uint64
	SyncFailures  uint64

	// Failure is why the store acknowledges nothing any more, until it is opened anew; nil: it works.
	Failure error
	// Trouble is what it fails to do besides, such as a checkpoint: nothing is lost, but more and more disk
	// is used, and a failure may follow. nil: nothing.
	Trouble error
}
