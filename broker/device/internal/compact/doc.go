// Package compact keeps millions of small named records in memory, found by name without a lock and without
// an allocation.
//
// A record is a name and a body, bytes that never change once they are visible. They lie one behind another
// in slabs, so that a million of them are some hundred objects for the garbage collector, not a million.
// Every name has a number, which it keeps as long as it exists and which is never given again, and with it
// two words that may change at any time: one for the owner's state, one for whoever limits a rate.
//
// One goroutine at a time may change a Table; any number may read it meanwhile. A name takes 32 to 40 bytes
// beside its record.
package compact
