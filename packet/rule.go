package packet

import (
	"maps"
	"slices"
)

// Rule names the rule that an input breaks: a numbered statement of MQTT 3.1.1
// ("MQTT-2.2.2-2"), a section of it where the standard demands something
// without a number ("MQTT-2.2.3"), a passage of MQTT 3.1 ("MQTT31-..."), or a
// restriction from Limits ("IOT-..."). The set is small and fixed, so a rule
// may be a metric's label.
type Rule string

// Rules of MQTT 3.1.1 that carry a statement number.
const (
	RuleTextUTF8          Rule = "MQTT-1.5.3-1"
	RuleTextNUL           Rule = "MQTT-1.5.3-2"
	RuleFlags             Rule = "MQTT-2.2.2-2"
	RuleZeroID            Rule = "MQTT-2.3.1-1"
	RuleIDWithoutQoS      Rule = "MQTT-2.3.1-5"
	RuleAckID             Rule = "MQTT-2.3.1-6"
	RuleSubackID          Rule = "MQTT-2.3.1-7"
	RuleFirstConnect      Rule = "MQTT-3.1.0-1"
	RuleSecondConnect     Rule = "MQTT-3.1.0-2"
	RuleProtocolName      Rule = "MQTT-3.1.2-1"
	RuleProtocolLevel     Rule = "MQTT-3.1.2-2"
	RuleConnectReserved   Rule = "MQTT-3.1.2-3"
	RuleWillFields        Rule = "MQTT-3.1.2-9"
	RuleWillClear         Rule = "MQTT-3.1.2-11"
	RuleWillQoSClear      Rule = "MQTT-3.1.2-13"
	RuleWillQoS           Rule = "MQTT-3.1.2-14"
	RuleWillRetainClear   Rule = "MQTT-3.1.2-15"
	RuleUsernameClear     Rule = "MQTT-3.1.2-18"
	RuleUsernameSet       Rule = "MQTT-3.1.2-19"
	RulePasswordClear     Rule = "MQTT-3.1.2-20"
	RulePasswordSet       Rule = "MQTT-3.1.2-21"
	RulePasswordAlone     Rule = "MQTT-3.1.2-22"
	RuleConnectOrder      Rule = "MQTT-3.1.3-1"
	RuleClientIDMissing   Rule = "MQTT-3.1.3-3"
	RuleClientIDEmpty     Rule = "MQTT-3.1.3-8"
	RuleFirstConnack      Rule = "MQTT-3.2.0-1"
	RuleSessionPresent    Rule = "MQTT-3.2.2-4"
	RuleDupQoS0           Rule = "MQTT-3.3.1-2"
	RuleQoS3              Rule = "MQTT-3.3.1-4"
	RuleTopicMissing      Rule = "MQTT-3.3.2-1"
	RulePublishWildcard   Rule = "MQTT-3.3.2-2"
	RulePubrelFlags       Rule = "MQTT-3.6.1-1"
	RuleSubscribeFlags    Rule = "MQTT-3.8.1-1"
	RuleFilterMissing     Rule = "MQTT-3.8.3-1"
	RuleSubscribeEmpty    Rule = "MQTT-3.8.3-3"
	RuleRequestedQoS      Rule = "MQTT-3.8.3-4"
	RuleSubackCode        Rule = "MQTT-3.9.3-2"
	RuleUnsubscribeFlags  Rule = "MQTT-3.10.1-1"
	RuleUnsubscribeFilter Rule = "MQTT-3.10.3-1"
	RuleUnsubscribeEmpty  Rule = "MQTT-3.10.3-2"
	RuleDisconnectFlags   Rule = "MQTT-3.14.1-1"
	RuleTopicWildcard     Rule = "MQTT-4.7.1-1"
	RuleHash              Rule = "MQTT-4.7.1-2"
	RulePlus              Rule = "MQTT-4.7.1-3"
	RuleTopicEmpty        Rule = "MQTT-4.7.3-1"
	RuleTopicTooLong      Rule = "MQTT-4.7.3-3"
	RuleUnexpected        Rule = "MQTT-4.8.0-1"
)

// Rules that the standards state without a number, named by their section.
const (
	RuleType              Rule = "MQTT-2.2.1"
	RuleRemainingLength   Rule = "MQTT-2.2.3"
	RuleConnectLength     Rule = "MQTT-3.1.2"
	RuleConnackLength     Rule = "MQTT-3.2.1"
	RuleConnackValue      Rule = "MQTT-3.2.2"
	RulePublishLength     Rule = "MQTT-3.3.2"
	RulePubackLength      Rule = "MQTT-3.4.1"
	RulePubrecLength      Rule = "MQTT-3.5.1"
	RulePubrelLength      Rule = "MQTT-3.6.1"
	RulePubcompLength     Rule = "MQTT-3.7.1"
	RuleSubscribeLength   Rule = "MQTT-3.8.2"
	RuleSubackLength      Rule = "MQTT-3.9.2"
	RuleUnsubscribeLength Rule = "MQTT-3.10.2"
	RuleUnsubackLength    Rule = "MQTT-3.11.1"
	RulePingreqLength     Rule = "MQTT-3.12.1"
	RulePingrespLength    Rule = "MQTT-3.13.1"
	RuleDisconnectLength  Rule = "MQTT-3.14.1"
	RuleClientID31        Rule = "MQTT31-CLIENTID"
)

// Restrictions of the IoT platform, in force as far as Limits names them.
const (
	RuleLimitQoS2       Rule = "IOT-QOS2"
	RuleLimitWill       Rule = "IOT-WILL"
	RuleLimitRetain     Rule = "IOT-RETAIN"
	RuleLimitPacket     Rule = "IOT-PACKET-SIZE"
	RuleLimitPayload    Rule = "IOT-PAYLOAD-SIZE"
	RuleLimitTopic      Rule = "IOT-TOPIC-LENGTH"
	RuleLimitTopicLevel Rule = "IOT-TOPIC-LEVELS"
	RuleLimitFilters    Rule = "IOT-FILTERS"
)

var ruleTexts = map[Rule]string{
	RuleTextUTF8:          "a text field is not well-formed UTF-8",
	RuleTextNUL:           "a text field contains U+0000",
	RuleFlags:             "the flag bits of the fixed header are not those of the packet type",
	RuleZeroID:            "the packet identifier is 0",
	RuleIDWithoutQoS:      "a QoS 0 PUBLISH has a packet identifier",
	RuleAckID:             "an acknowledgement has the packet identifier 0, which no PUBLISH has",
	RuleSubackID:          "an acknowledgement has the packet identifier 0, which no request has",
	RuleFirstConnect:      "the first packet of a client is not CONNECT",
	RuleSecondConnect:     "a second CONNECT on one connection",
	RuleProtocolName:      "the protocol name is neither MQTT nor MQIsdp",
	RuleProtocolLevel:     "the protocol level is not accepted",
	RuleConnectReserved:   "the reserved bit of the connect flags is 1",
	RuleWillFields:        "the Will flag is set but Will topic or Will message is missing",
	RuleWillClear:         "the Will flag is clear but there is a Will topic or Will message",
	RuleWillQoSClear:      "the Will flag is clear but Will QoS is not 0",
	RuleWillQoS:           "Will QoS is 3",
	RuleWillRetainClear:   "the Will flag is clear but Will Retain is 1",
	RuleUsernameClear:     "the user name flag is clear but the payload goes on",
	RuleUsernameSet:       "the user name flag is set but the user name is missing",
	RulePasswordClear:     "the password flag is clear but the payload goes on",
	RulePasswordSet:       "the password flag is set but the password is missing",
	RulePasswordAlone:     "the password flag is set without the user name flag",
	RuleConnectOrder:      "bytes follow the last field of the payload",
	RuleClientIDMissing:   "the client identifier is missing",
	RuleClientIDEmpty:     "the client identifier is empty and CleanSession is 0",
	RuleFirstConnack:      "the first packet of a server is not CONNACK",
	RuleSessionPresent:    "a refusal has the session-present bit set",
	RuleDupQoS0:           "DUP is set on a QoS 0 message",
	RuleQoS3:              "both QoS bits are set",
	RuleTopicMissing:      "the topic name is missing or cut off",
	RulePublishWildcard:   "the topic name contains a wildcard",
	RulePubrelFlags:       "the flag bits of PUBREL are not 0010",
	RuleSubscribeFlags:    "the flag bits of SUBSCRIBE are not 0010",
	RuleFilterMissing:     "a topic filter or its requested QoS is cut off",
	RuleSubscribeEmpty:    "SUBSCRIBE has no topic filter",
	RuleRequestedQoS:      "a requested QoS is not 0, 1 or 2, or its reserved bits are not 0",
	RuleSubackCode:        "a SUBACK code is not 00, 01, 02 or 80",
	RuleUnsubscribeFlags:  "the flag bits of UNSUBSCRIBE are not 0010",
	RuleUnsubscribeFilter: "a topic filter is cut off",
	RuleUnsubscribeEmpty:  "UNSUBSCRIBE has no topic filter",
	RuleDisconnectFlags:   "the flag bits of DISCONNECT are not 0000",
	RuleTopicWildcard:     "a topic name contains a wildcard",
	RuleHash:              "# is not alone in the last level of a topic filter",
	RulePlus:              "+ is not alone in its level of a topic filter",
	RuleTopicEmpty:        "a topic name or filter is empty",
	RuleTopicTooLong:      "a topic name or filter is longer than 65,535 bytes",
	RuleUnexpected:        "this packet type is not expected here",

	RuleType:              "the packet type is reserved, or not the one asked for",
	RuleRemainingLength:   "the remaining length takes more than four bytes",
	RuleConnectLength:     "the remaining length does not fit CONNECT",
	RuleConnackLength:     "the remaining length of CONNACK is not 2",
	RuleConnackValue:      "CONNACK has reserved bits set or an unknown return code",
	RulePublishLength:     "the remaining length does not fit PUBLISH",
	RulePubackLength:      "the remaining length of PUBACK is not 2",
	RulePubrecLength:      "the remaining length of PUBREC is not 2",
	RulePubrelLength:      "the remaining length of PUBREL is not 2",
	RulePubcompLength:     "the remaining length of PUBCOMP is not 2",
	RuleSubscribeLength:   "the remaining length does not fit SUBSCRIBE",
	RuleSubackLength:      "the remaining length does not fit SUBACK",
	RuleUnsubscribeLength: "the remaining length does not fit UNSUBSCRIBE",
	RuleUnsubackLength:    "the remaining length of UNSUBACK is not 2",
	RulePingreqLength:     "the remaining length of PINGREQ is not 0",
	RulePingrespLength:    "the remaining length of PINGRESP is not 0",
	RuleDisconnectLength:  "the remaining length of DISCONNECT is not 0",
	RuleClientID31:        "the client identifier is empty, which MQTT 3.1 does not allow",

	RuleLimitQoS2:       "QoS 2 is not supported",
	RuleLimitWill:       "a Will is not supported",
	RuleLimitRetain:     "RETAIN is not supported",
	RuleLimitPacket:     "the packet is larger than its limit",
	RuleLimitPayload:    "the payload is larger than its limit",
	RuleLimitTopic:      "a topic name or filter is longer than its limit",
	RuleLimitTopicLevel: "a topic name or filter has more slashes than its limit",
	RuleLimitFilters:    "SUBSCRIBE has more filters than its limit",
}

// Rules returns all rules, in order: for a table, or to register a metric for
// each.
func Rules() []Rule {
	return slices.Sorted(maps.Keys(ruleTexts))
}

// Text says in one clause what is wrong with an input that breaks the rule.
func (r Rule) Text() string { return ruleTexts[r] }

// lengthRules are the rules for a remaining length that cannot belong to a
// packet of that type, by type.
var lengthRules = [16]Rule{
	RuleType, RuleConnectLength, RuleConnackLength, RulePublishLength,
	RulePubackLength, RulePubrecLength, RulePubrelLength, RulePubcompLength,
	RuleSubscribeLength, RuleSubackLength, RuleUnsubscribeLength, RuleUnsubackLength,
	RulePingreqLength, RulePingrespLength, RuleDisconnectLength, RuleType,
}
