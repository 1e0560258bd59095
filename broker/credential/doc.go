// Package credential reads and makes the identity that a device of the platform puts into CONNECT.
//
// The client identifier carries a free text and, between pipes, the parameters of the login; the user name
// is the device; the password is an HMAC over the named parts, keyed with a secret that only the device and
// the platform know:
//
//	ClientId  12345|securemode=3,signmethod=hmacsha1,timestamp=789|
//	Username  device&pk
//	Password  hmac_sha1(deviceSecret, "clientId12345deviceNamedeviceproductKeypktimestamp789") in hexadecimal
//
// A Verifier checks these three against a Directory and says which part was wrong: the answer for the
// device is one of two CONNACK codes, the answer for the operator is a Refusal. A Device makes them.
//
// The package is a computation on bytes: it opens nothing, logs nothing, reads no clock and knows no
// registry. A verification that succeeds allocates nothing.
package credential
