package packet

// PINGREQ, PINGRESP and DISCONNECT have no body (MQTT 3.1.1 sections 3.12 to
// 3.14). Next judges all there is to them, so there is nothing to decode: the
// frame's type says it.

// AppendPingreq appends a PINGREQ.
func AppendPingreq(dst []byte) []byte { return append(dst, byte(TypePingreq)<<4, 0) }

// AppendPingresp appends a PINGRESP, the answer to PINGREQ (MQTT-3.12.4-1).
func AppendPingresp(dst []byte) []byte { return append(dst, byte(TypePingresp)<<4, 0) }

// AppendDisconnect appends a DISCONNECT.
func AppendDisconnect(dst []byte) []byte { return append(dst, byte(TypeDisconnect)<<4, 0) }
