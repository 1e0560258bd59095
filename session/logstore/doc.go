// Package logstore keeps sessions on disk: session.Store on the log of package wal, for the durability
// levels os and disk.
//
// # What each level promises
//
// At level disk, what a successful Sync covers survives a power cut; at level os, the death of the process,
// by whatever signal, but not of the machine. Both levels come back with everything up to some moment not
// before the last successful Sync, in order, and with nothing else: sessions, their subscriptions and
// deadlines, the messages in their queues and the packet identifiers that these were sent with. A message
// that was acknowledged without a Sync behind it may come back, to be sent again with DUP and the same
// identifier.
//
// # On disk
//
// Everything is a record in one log, in the order in which it happened. A message is stored once, with the
// list of the sessions that wait for it. What the index in memory needs is written down by a checkpoint now
// and then: session by session, among the other records, so that nothing waits for it. Segments before the
// last checkpoint are given up when nobody waits for a message in them. A client that stays away would keep
// its segments from that; so when more than half of the log is waste, the messages at its front that are
// still waited for are copied to its end.
//
// # In memory
//
// A stored message takes 16 bytes, and 8 more for each queue that it is in; with what is allocated ahead,
// that is about 26 bytes for a message to one session, and at most 128, when all its neighbours have gone. Contents
// are on disk only, and read one by one when a session is about to send them.
//
// # Recovery
//
// Open reads the last checkpoint and the log from there, in bounded memory besides the index. The time is
// that of reading the checkpoint, of about ten bytes a message, and Options.CheckpointBytes or eight times that,
// whichever is more.
// A tail that was torn when the power went is cut and reported; see package wal for how it is told from
// damage, on which Open fails and changes nothing. The file "checkpoint" only says where the last checkpoint
// begins; without it, the whole log is read.
package logstore
