package packet

// Policy says what happens to a part of the standard that is restricted.
type Policy byte

const (
	// Accept is the standard's own behaviour.
	Accept Policy = iota
	// Ignore takes the packet without the restricted part and reports that in
	// the packet's Ignored field, so that the caller can log and count it.
	Ignore
	// Refuse makes the packet an error.
	Refuse
)

// Ignored is a set of bits that names what was left out of a decoded packet
// under the policy Ignore. 0 means the view is all that was sent.
type Ignored uint8

const (
	// IgnoredWill: CONNECT carried a Will; the view shows none.
	IgnoredWill Ignored = 1 << iota
	// IgnoredRetain: RETAIN (or Will Retain) was 1; the view shows false.
	IgnoredRetain
	// ReducedQoS: SUBSCRIBE asked for QoS 2; the view shows 1.
	ReducedQoS
	// IgnoredPublish: a QoS 2 PUBLISH that the caller drops without an answer.
	// The view is complete, with QoS 2.
	IgnoredPublish
)

// LevelSet is a set of protocol levels, for Limits.Levels. The empty set stands
// for every level that this package knows.
type LevelSet uint8

const (
	AcceptLevel3 LevelSet = 1 << Level31  // MQTT 3.1, protocol name MQIsdp
	AcceptLevel4 LevelSet = 1 << Level311 // MQTT 3.1.1, protocol name MQTT
)

// The protocol levels of CONNECT.
const (
	Level31  = 3
	Level311 = 4
)

// Quantities of the IoT platform, of which DefaultLimits is made.
const (
	PlatformPayload = 256 << 10 // bytes of payload in one PUBLISH
	PlatformTopic   = 128       // bytes in a topic name or filter
	PlatformSlashes = 7         // separators in a topic name or filter; three more in a system topic
	PlatformFilters = 8         // filters in one SUBSCRIBE
)

// Limits are the restrictions that decoding enforces on top of the standard.
// The zero value restricts nothing: it is MQTT 3.1.1 and 3.1 as written. A nil
// *Limits means the same. For quantities, 0 is "no limit".
//
// Limits are only read, never kept and never changed by this package, so one
// value serves any number of connections at once. Connections differ in their
// protocol level: keep one value for each level.
type Limits struct {
	// Level is the protocol level that CONNECT settled for this connection,
	// Level31 or Level311; 0 counts as Level311. It decides what the two
	// versions judge differently: under 3.1 DUP may be set on SUBSCRIBE,
	// UNSUBSCRIBE, PUBREL and on a QoS 0 PUBLISH, the upper six bits of a
	// requested QoS are not looked at, and CONNACK has no session-present bit.
	Level byte
	// Levels are the protocol levels accepted in CONNECT. Another one is an
	// error whose CONNACK code is RefusedProtocolLevel (MQTT-3.1.2-2).
	Levels LevelSet
	// Types are the packet types acceptable now; others are refused from their
	// first byte.
	Types TypeSet

	// PublishQoS2 is about a PUBLISH with QoS 2. Ignore reports IgnoredPublish
	// and leaves the dropping to the caller.
	PublishQoS2 Policy
	// SubscribeQoS2 is about a requested QoS of 2. Ignore makes it 1 and reports
	// ReducedQoS; Refuse makes that one filter fail.
	SubscribeQoS2 Policy
	// Will is about the Will in CONNECT. Ignore still checks its layout and its
	// UTF-8, shows no Will and reports IgnoredWill.
	Will Policy
	// Retain is about RETAIN in PUBLISH and Will Retain in CONNECT. Ignore shows
	// false and reports IgnoredRetain.
	Retain Policy

	// Remaining bounds the remaining length of any packet, in bytes. It is
	// judged from the fixed header alone, as are the bounds that follow from
	// the other quantities.
	Remaining int
	// Connect bounds the remaining length of CONNECT, in bytes.
	Connect int
	// Payload bounds the application message of PUBLISH, in bytes.
	Payload int
	// Topic bounds a topic name or filter, in bytes. In PUBLISH (and in an
	// accepted Will) more is an error; in SUBSCRIBE that one filter fails; in
	// UNSUBSCRIBE it does no harm and is let through.
	Topic int
	// Slashes bounds the separators in a topic name or filter, like Topic. System
	// topics, which begin with /sys/ or /ext/, may have three more.
	Slashes int
	// Filters bounds the filters of one SUBSCRIBE.
	Filters int
	// ExcessFilters is about filters beyond Filters: under Accept and Ignore
	// each of them fails in the SUBACK and the ones before count; under Refuse
	// the packet is an error.
	ExcessFilters Policy
}

// DefaultLimits returns the restrictions of the IoT platform: no QoS 2 (PUBLISH
// refused, SUBSCRIBE granted as 1), no Will and no retain (ignored and
// reported), 256 KB of payload, topics of 128 bytes and 7 slashes, 8 filters in
// a SUBSCRIBE (further ones fail), protocol levels 3 and 4.
func DefaultLimits() Limits {
	return Limits{
		Levels:        AcceptLevel3 | AcceptLevel4,
		PublishQoS2:   Refuse,
		SubscribeQoS2: Ignore,
		Will:          Ignore,
		Retain:        Ignore,
		Remaining:     PlatformPayload + PlatformTopic + publishOverhead,
		Payload:       PlatformPayload,
		Topic:         PlatformTopic,
		Slashes:       PlatformSlashes,
		Filters:       PlatformFilters,
		ExcessFilters: Ignore,
	}
}

// standard is what a nil *Limits stands for. It is never written to.
var standard Limits

func orStandard(lim *Limits) *Limits {
	if lim == nil {
		return &standard
	}
	return lim
}

// accepts reports whether CONNECT may ask for this level.
func (lim *Limits) accepts(level byte) bool {
	return level == Level31 && (lim.Levels == 0 || lim.Levels&AcceptLevel3 != 0) ||
		level == Level311 && (lim.Levels == 0 || lim.Levels&AcceptLevel4 != 0)
}

// maxRemaining holds the longest body of each type: as its layout bounds it, or
// as the remaining length does.
var maxRemaining = [16]int{
	TypeConnect: maxConnect, TypeConnack: 2, TypePublish: MaxRemaining,
	TypePuback: 2, TypePubrec: 2, TypePubrel: 2, TypePubcomp: 2,
	TypeSubscribe: MaxRemaining, TypeSuback: MaxRemaining,
	TypeUnsubscribe: MaxRemaining, TypeUnsuback: 2,
}

// maxRemaining returns the largest remaining length that a packet of type t may
// claim under these limits.
func (lim *Limits) maxRemaining(t Type) int {
	most := maxRemaining[t&15]
	switch t {
	case TypePublish:
		if lim.Payload > 0 {
			topic := maxText
			if 0 < lim.Topic && lim.Topic < topic {
				topic = lim.Topic
			}
			most = min(most, topic+publishOverhead+lim.Payload)
		}
	case TypeConnect:
		if lim.Connect > 0 {
			most = min(most, lim.Connect)
		}
	case TypeSubscribe:
		if lim.Filters > 0 && lim.ExcessFilters == Refuse {
			most = min(most, 2+lim.Filters*(2+maxText+1))
		}
	}
	if lim.Remaining > 0 && lim.Remaining < most {
		return lim.Remaining
	}
	return most
}
