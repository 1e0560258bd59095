// Package wal is a log of records in a directory: append, sync, read back in order, cut off the front.
//
// # What is promised
//
// What a successful Sync callback covers is there when the log is opened again, in the order of Append and
// without gaps; so is a prefix of what was appended after it, and nothing else. At level OS this holds when
// the process dies, at level Disk also when the power goes. A Sync callback that gets an error promises
// nothing, and after it none gets anything else: the log has failed, and stays so until it is opened anew.
//
// # Group commit
//
// Append copies a record to a buffer in memory. One goroutine, the committer, takes what has gathered, writes
// it with one call and syncs it with one fdatasync for all who wait; meanwhile the next lot gathers. Without
// anybody waiting, it writes after 10 ms or 256 KiB. The callbacks run on another goroutine.
//
// # Segments
//
// The log is a row of files of equal size. The next one is made ready in the background, when the current one
// is half full: zeroed, so that writing to it later changes no metadata, which would make every fdatasync a
// commit of the file system's journal too; or one that Truncate has freed, as it is. If the next file is not
// ready in time, it is used unzeroed rather than waited for.
//
// # Recovery
//
// Every record carries a checksum, the epoch (how often the log was opened) and a claim: up to where the log
// was synced when the record was written. The checksum depends on the place and on a random number that each
// use of a file draws anew, so that nothing left in a file is mistaken for a record.
//
// Open looks for the first place without a good record. If a good record behind it claims that the place was
// synced, something has damaged it since: Open fails with a Corrupt that names file and offset, and changes
// nothing. If not, it is where the power went: Open cuts there, reports what it cut, and goes on writing
// there. While the log is idle, and when it is closed, it writes its last claim down by itself, so that the
// last records are covered too. What no later record covers is the last batch before a power cut: damage to
// it looks like a torn tail.
//
// At level OS, only whole segments are synced, in the background; the rest of the log is taken for a torn
// tail wherever it is damaged.
package wal
