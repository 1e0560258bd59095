// Command peers runs other people's brokers, which are Go modules, for `sampan fuzz` to try:
//
//	cd fuzz/peers && go run . mochi 127.0.0.1:18832
//	cd fuzz/peers && go run . nats 127.0.0.1:18833
//
// The package codec compares packet with other codecs. All this is a module of its own, so that nobody who embeds Sampan
// downloads them.
package main
