// Package device is the registry: which products, devices, topic categories and access keys there are.
//
// # Reading
//
// Lookup finds a device by the bytes of its two names, without an allocation and without a lock. A Device is
// a view of one moment: it does not change, and it says nothing of what happens afterwards. Who must know
// what happens afterwards watches: Watch calls a function for every change, in order. A million devices take
// about 120 megabytes.
//
// # Changing
//
// Every change is a record in a log (package wal), and a method that changes something returns when the
// record is on the disk. Only Activate does not wait: a device whose first login is lost with the power is
// activated by its next one. Changes are made while everything else runs.
//
// The log is read when the registry is opened, and rewritten in the background when most of it has been
// superseded. It holds the secrets as they are, because the platform's signatures need them: protect the
// directory. One process at a time has it open; the error of the second one matches ErrInUse and says what
// to do.
//
// # Names
//
// See names.go: a new DeviceName follows the platform's rule; an imported one only has to be usable in a
// topic and in CONNECT, because devices in the field have what they have.
package device
