// Package gateway lets a gateway act for sub-devices over its own connection: which devices belong to it
// (its topology), which of them are logged in through it, and that it may use their topics only while they
// are.
//
// A sub-device is named by its own productKey and deviceName, signs its login with its own secret, and is
// logged in through one gateway at a time: a later one takes over, and the earlier gateway is told on
// /ext/error. When the gateway's connection ends its sub-devices are offline.
//
// The topology is kept in the ledger; which sub-devices are logged in is not: a gateway logs them in whenever
// it connects, and a restart of the broker ends its connection.
package gateway
