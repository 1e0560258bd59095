// Package triples reads and writes lists of devices as CSV: ProductKey, DeviceName, DeviceSecret, and if
// wanted ProductSecret. It is how devices that are in the field come into the registry.
//
//	productKey,deviceName,deviceSecret
//	a1B2c3D4e5,dev1,ds-secret-1
package triples
