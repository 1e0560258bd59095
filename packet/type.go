package packet

// Type is the kind of a control packet, the upper four bits of its first byte
// (MQTT 3.1.1 section 2.2.1). 0 and 15 are reserved and name no packet.
type Type byte

// The fourteen control packets, with the direction that the standard gives them.
const (
	TypeConnect     Type = 1  // client to server
	TypeConnack     Type = 2  // server to client
	TypePublish     Type = 3  // both
	TypePuback      Type = 4  // both
	TypePubrec      Type = 5  // both
	TypePubrel      Type = 6  // both
	TypePubcomp     Type = 7  // both
	TypeSubscribe   Type = 8  // client to server
	TypeSuback      Type = 9  // server to client
	TypeUnsubscribe Type = 10 // client to server
	TypeUnsuback    Type = 11 // server to client
	TypePingreq     Type = 12 // client to server
	TypePingresp    Type = 13 // server to client
	TypeDisconnect  Type = 14 // client to server
)

var typeNames = [16]string{
	"RESERVED-0", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP",
	"SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "RESERVED-15",
}

// String returns the standard's name of the packet, such as "PUBLISH".
func (t Type) String() string { return typeNames[t&15] }

// TypeSet is a set of packet types, for Limits.Types. The empty set stands for
// every type, so that the zero Limits restricts nothing.
type TypeSet uint16

// The sets that a connection goes through. A server reads with FirstFromClient
// until CONNECT has come and with FromClient after it; a client reads with
// FirstFromServer and FromServer.
const (
	FirstFromClient TypeSet = 1 << TypeConnect // MQTT-3.1.0-1
	FirstFromServer TypeSet = 1 << TypeConnack // MQTT-3.2.0-1

	// FromClient leaves out CONNECT: a second one is a violation (MQTT-3.1.0-2).
	FromClient TypeSet = 1<<TypePublish | 1<<TypePuback | 1<<TypePubrec | 1<<TypePubrel | 1<<TypePubcomp |
		1<<TypeSubscribe | 1<<TypeUnsubscribe | 1<<TypePingreq | 1<<TypeDisconnect

	FromServer TypeSet = 1<<TypePublish | 1<<TypePuback | 1<<TypePubrec | 1<<TypePubrel | 1<<TypePubcomp |
		1<<TypeSuback | 1<<TypeUnsuback | 1<<TypePingresp

	// QoS2Types belong to the QoS 2 exchange alone. FromClient &^ QoS2Types is
	// what a server without QoS 2 can be sent.
	QoS2Types TypeSet = 1<<TypePubrec | 1<<TypePubrel | 1<<TypePubcomp
)

// Has reports whether t is in the set. Every type is in the empty set.
func (s TypeSet) Has(t Type) bool { return s == 0 || s>>(t&15)&1 != 0 }
