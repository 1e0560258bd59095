// Package alink answers what devices ask of the platform's services on their system topics: property and
// event posts, tags, desired properties, configuration, time, shadow and OTA. Requests and answers are Alink
// envelopes in JSON (package envelope); the answer to .../thing/x goes out on .../thing/x_reply. It also sends the
// requests that go the other way, property set and service invoke, and takes in their answers (downlink.go).
//
// A Service is the broker's Interceptor for these topics. It runs on the goroutine of the device's
// connection, computes on bytes and memory only, and waits for nothing. An embedder can leave it out, or take
// a topic for himself (Options.Handle).
//
// All JSON that is sent is without white space: the reader of the C SDK 4 keeps a blank behind a colon.
package alink
