// Package openapi is the server's side of the platform: an HTTP endpoint that the official server SDKs call
// as they call the cloud's (RPC style, version 2018-01-20), to publish, to call devices, and to manage
// products and devices.
//
// A request is authenticated by an access key, in one of the two signature schemes that the SDKs use
// (signature1.go, signature3.go), protected against replay (nonce.go), and handed to the action that it
// names (action.go and the files named after what the actions are about). Results are JSON or XML
// (result.go). Errors are of two kinds, as with the platform: a request that is wrong as such is answered
// with an HTTP status of 400 or above; one that was understood but could not be done is answered with 200
// and Success false.
package openapi
