// Package ledger keeps what the platform knows of devices beside the registry: what they have posted, what
// they are to be, their shadows, to which gateway they belong. Each is a record under a kind and a key, and
// the latest record counts.
//
// # On disk
//
// Records are appended to a log (package wal). In memory there is an index of where the latest record of each
// key is; the records themselves are read from the log. Opening reads the log once, from front to back, and
// keeps nothing of it but the index. When more than half of the log has been superseded, the records that
// still count are copied from its front to its end, a segment at a time and while everything goes on, and the
// front is cut off.
//
// Put and Delete return when the record is in the log's buffer. Sync tells when it holds: at the log's level,
// as with every other change of the broker.
//
// # Bounds
//
// The number of records and the bytes of those that count are bounded (ErrFull), and so are a key and a value
// (ErrTooLarge). The index takes about 100 bytes a record; the log is at most twice what counts, and a few
// segments.
package ledger
