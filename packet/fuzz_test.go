package packet_test

import (
	"testing"

	"sampan/internal/ceiling"
	"sampan/packet"
)

// FuzzCut: on any bytes the fast paths agree with Next and Decode. FuzzDecode in
// the fuzz room has the other laws of the codec.
func FuzzCut(f *testing.F) {
	platform := packet.DefaultLimits()
	tight := packet.Limits{Topic: 16, Slashes: 1, Payload: 8, Remaining: 30, Retain: packet.Refuse}
	limits := []*packet.Limits{nil, {Level: packet.Level31}, &platform, &tight}
	f.Fuzz(func(t *testing.T, lim byte, b []byte) {
		defer ceiling.Bytes(ceiling.Lots + 32*len(b)).Hold(t)()
		agree(t, b, limits[int(lim)%len(limits)])
		packet.CutPuback(b)
	})
}

// FuzzTopic: topic names and filters are judged as the words of the standard
// judge them.
func FuzzTopic(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		defer ceiling.Bytes(ceiling.Lots + 32*len(s)).Hold(t)()
		if err := packet.ValidTopicName([]byte(s), nil); (err == nil) != naiveName(s) {
			t.Fatalf("name %q: %v, naive: %v", s, err, naiveName(s))
		}
		if err := packet.ValidTopicFilter([]byte(s), nil); (err == nil) != naiveFilter(s) {
			t.Fatalf("filter %q: %v, naive: %v", s, err, naiveFilter(s))
		}
	})
}
