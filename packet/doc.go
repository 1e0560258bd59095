// Package packet turns bytes into MQTT control packets and back: all fourteen of
// MQTT 3.1.1 and 3.1, in both directions, under restrictions that the caller
// sets. It knows no connection, no clock and no log, and starts no goroutine;
// server, client, load generator and fuzzer use the same code.
//
// # One packet
//
//	byte 0      type (4 bits), flags (4 bits)  ─┐ fixed header: Next judges it
//	byte 1..4   remaining length               ─┘ before the rest has come
//	then        variable header                ─┐ body: the packet's Decode
//	then        payload                        ─┘
//
// Decoding takes two steps. Next cuts a Frame off a stream of bytes, wherever it
// was split, and says how many bytes are missing if there is none yet. The
// frame's Type says which packet to decode it into:
//
//	f, n, need, err := packet.Next(b, &lim)
//	…
//	switch f.Type() {
//	case packet.TypePublish:
//		err = publish.Decode(f, &lim)
//
// PINGREQ, PINGRESP and DISCONNECT have no body and no Decode. Publish.Cut and
// CutPuback do both steps at once for runs of the same packet; Reader does the
// first for those who have an io.Reader.
//
// Encoding appends: AppendTo(dst) returns the longer dst and allocates only if
// dst lacks capacity, Size says beforehand by how much it grows. Encoding checks
// nothing; Check judges a packet as its receiver would.
//
// # How long a view lives
//
// Decoding copies nothing. Frames and decoded packets are views: every byte
// slice in them aliases the buffer that was given to Next, and holds what it
// held only as long as that buffer is left alone. Whoever keeps a topic longer
// than the buffer copies it. The capacity of each slice ends with its field, so
// appending to one never writes into the buffer. The package keeps nothing: not
// the bytes, not the limits.
//
// Numbers and flags (Publish.ID, Connect.Level, …) are values and live on.
//
// # Limits and errors
//
// Limits holds everything beyond the standard; its zero value, and nil, is the
// standard alone, and DefaultLimits is the IoT platform. Each restriction
// refuses or ignores; what was ignored is reported in the packet's Ignored
// field. Bounds that can be judged by the fixed header are judged there.
//
// Every error about bytes or values is an *Error with the broken Rule (a
// statement of the standard or an IOT restriction), the packet type, the offset
// and the numbers; only a Reader also returns its source's own. An error of
// Next or Decode ends the connection; Error.Connack says whether a CONNACK goes
// out first. A filter of SUBSCRIBE that only breaks a limit is no error of
// Decode: it fails by itself, and Subscribe.Refusal explains it. After an error the decoded value is zero. No input makes the
// package panic, read beyond its end, or allocate by a length that was only
// claimed.
//
// # Finding the way
//
// A file is named after the packet it holds: connect.go, connack.go,
// publish.go, subscribe.go, suback.go, unsubscribe.go; ack.go has the packets
// that are only an identifier, bodyless.go those that are less. Below them:
// frame.go (fixed header), text.go (fields, UTF-8), topic.go (names and
// filters), limits.go, rule.go and error.go. Beside them: reader.go (frames from
// a source), patch.go (identifier and DUP in place), illegal.go (packets that
// nobody may send, for tests). To follow the rules of one packet read its Decode
// from top to bottom: it goes in wire order, with the statement beside each
// check.
//
// testdata/vectors has a readable file for each packet that the tests know, good
// or hostile.
package packet
