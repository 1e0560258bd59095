package model

import "strings"

// Matches reports whether a topic filter matches a topic name (section 4.7), level by level. Nothing is
// normalised: an empty level is a level [MQTT-4.7.3-4].
func Matches(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && strings.ContainsAny(filter[:1], "+#") {
		return false // [MQTT-4.7.2-1]
	}
	filters, topics := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, f := range filters {
		if f == "#" {
			return true // [MQTT-4.7.1-2]: the level above, and everything below it
		}
		if i == len(topics) || f != "+" && f != topics[i] { // [MQTT-4.7.1-3]
			return false
		}
	}
	return len(filters) == len(topics)
}

// match returns the highest granted QoS of a session's subscriptions to a topic [MQTT-3.3.5-1], and the QoS
// of the others that match, for which a broker may send further copies.
func (s *session) match(topic string) (best byte, others []byte, found bool) {
	for filter, qos := range s.subs {
		if !Matches(filter, topic) {
			continue
		}
		if found {
			others = append(others, min(best, qos))
			best = max(best, qos)
		} else {
			best, found = qos, true
		}
	}
	return best, others, found
}
