// Package rrpc lets a server call a device and get its answer in the same call, over ordinary topics:
// "revert-RPC" of the IoT platform.
//
// A request is published to /sys/{productKey}/{deviceName}/rrpc/request/{messageId}, to which the device
// has subscribed with a wildcard; the device publishes its answer to .../rrpc/response/{messageId}. With a
// custom topic, request and answer both use /ext/rrpc/{messageId}{topic}. Payloads are raw bytes both ways.
// (platform: facts, section 4)
//
// A Caller is the broker's Interceptor for answers: an answer goes to the call that waits for it and is not
// routed any further.
package rrpc
