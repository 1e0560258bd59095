// Command peers measures the codec in sampan/packet against the packets of
// github.com/mochi-mqtt/server/v2: the same packets, in the same process, in
// turns, so that a noisy machine disturbs both alike.
//
//	cd bench/peers && GOWORK=off go run . [--rounds 15] [--json]
//
// It is a module of its own, so that nobody who imports sampan downloads the
// peer. What stands on each line:
//
//	sampan cut       Publish.Cut: header, all checks of the platform's limits, view
//	sampan same      Publish.CutSame: the same for a topic that is known to be good
//	sampan decode    Next and the packet's Decode, with the platform's limits
//	sampan reader    Reader over a source that is always ready, and Decode
//	sampan append    AppendTo into a buffer with room
//	mochi alias      FixedHeader.Decode, DecodeLength and the packet's decoder on
//	                 bytes in memory, into a fresh Packet; no topic checks
//	mochi validated  the same, and PublishValidate, which has the topic checks
//	mochi client     Client.ReadFixedHeader and Client.ReadPacket, as its server
//	                 calls them, over a connection that is always ready
//	mochi encode     the packet's encoder into a bytes.Buffer that is reused
//	mochi write      Client.WritePacket to a connection that takes everything
//	mochi deliver    Packet.Copy and Client.WritePacket, as for each subscriber
package main
