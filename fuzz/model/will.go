package model

import "slices"

// keepRetained stores a retained message in the place of the last one [MQTT-3.3.1-5], or removes that
// [MQTT-3.3.1-10, MQTT-3.3.1-11].
func (m *Model) keepRetained(msg *message) {
	if msg.payload == "" {
		delete(m.retained, msg.topic)
		return
	}
	kept := *msg
	m.retained[msg.topic] = &kept
}

// sendRetained sends the last retained message of every topic that a new subscription matches
// [MQTT-3.3.1-6], with RETAIN 1 [MQTT-3.3.1-8].
func (m *Model) sendRetained(s *session, filter string, granted byte) {
	var found []*message
	for topic, msg := range m.retained {
		if Matches(filter, topic) {
			found = append(found, msg)
		}
	}
	slices.SortFunc(found, func(a, b *message) int { return a.number - b.number })
	for _, msg := range found {
		m.deliver(s, &delivery{m: msg, qos: m.qos(msg, granted), retain: true})
	}
}
