// Package topictree answers one question: which subscribers does this topic
// name reach? It knows topic filters (MQTT 3.1.1, section 4.7) and nothing else
// of MQTT; a subscriber is any comparable value, for a broker the pointer to a
// session.
//
//	tree.Subscribe("/product/device/#", session, 1)
//	...
//	if !tree.Current(&m, topic) { // m is kept by the publisher
//		tree.Match(topic, &m)
//	}
//	for _, chunk := range m.Chunks() {
//		for _, e := range chunk {
//			// deliver to e.Subscriber with at most e.QoS
//		}
//	}
//
// # How it is built
//
// A filter is literal levels and then, perhaps, a wildcard and more. The
// literal prefix is one key of a hash table (table.go), however many levels it
// has, up to 16; there is a table for each number of levels. Behind the prefix
// the tree goes on level by level (node.go). A topic name therefore needs no
// walk from the root: it is looked up at its own depth, for filters without
// wildcards, and at those depths at which some filter goes on with a wildcard.
// Each shard knows the set of these depths (shard.go); there are seldom more
// than three.
//
// A filter lives in the shard that its first three levels (Options.PrefixLevels)
// choose, for any topic it matches begins with the same ones, and "a/b/c/#" is
// with "a/b/c". Only filters with a wildcard among those levels can match topics
// of several shards. They have a shard to themselves, the wild one; a match asks
// it and one other.
//
// The subscribers of a filter are immutable chunks of entries (list.go,
// chunk.go). A match collects the chunks, not the entries, so it costs as good
// as the same whether a topic has one subscriber or a hundred. A long list is
// spread over chunks by the hash of the subscriber (spread.go): it takes one
// chunk to find, add or remove one of 100,000. Chunks join again when
// subscribers leave, and nodes go with their last filter.
//
// Only when several filters match does a subscriber have to be looked for in
// more than one list (merge.go); the longest of them is not copied even then.
//
// # Why it is right without locks
//
// Writers hold the mutex of the one shard they change. Readers hold nothing, so
// each step of a writer has to leave the tree whole. What a reader can reach is
// of three kinds:
//
//   - constant once it can be reached: the key of a node, the hash of a slot,
//     the entries of a chunk up to the length that the reader has loaded. A new
//     entry may be written behind that length, because the newest version of a
//     chunk is the only one that is ever added to, and every other change of a
//     chunk copies its entries;
//   - a pointer that is replaced atomically, with what it points to complete: a
//     list's head, a chunk in a spread, a table, a slot's node, a node's "+". An
//     entry never moves between the chunks of one spread, nor a node between the
//     slots of one table: for either a new spread or table is built aside and
//     takes the place of the old, which nobody changes any more. So a reader
//     that goes over chunks or slots one by one neither misses nor doubles an
//     entry that is there all the time;
//   - a hint, atomic too: the sets of depths and the number of a node's
//     children. It is raised before Subscribe returns, and lowered after the
//     last thing it leads to is gone.
//
// A node that was taken out stays as it was, and its lists are empty. A reader
// that still holds it finds nothing, as it would have a moment later. Memory is
// freed by the garbage collector when the last reader has let go; that is all
// the reclamation there is.
//
// From this follows what Match promises: whoever was subscribed before it began
// and still is when it ends is found, exactly once. Of those who come and go
// meanwhile any may be found: a match is no snapshot of several filters at one
// instant, and MQTT asks for none.
//
// # When a result is outdated
//
// Each shard counts its changes in a generation, raised after the change can be
// seen and before Subscribe or Unsubscribe return. Match reads the generations
// of its shard and of the wild one before it reads anything else. If it misses a
// change, the generation comes later and the result is not Current; if it sees a
// change early, the result is thrown away without need, which is harmless.
package topictree
