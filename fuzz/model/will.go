package model

import "slices"

// keepRetained stores a retained message in the place of the last one [MQTT-3.3.1-5], or removes that
// [MQTT-3.3.1-10, MQTT-3.3.1-11]. While the PUBREL of one has not come, it may be that or the one before.
func (m *Model) keepRetained(msg *message) {
	kept := m.retained[msg.topic]
	if !msg.unreleased {
		kept = slices.DeleteFunc(kept, func(o *message) bool { return !o.unreleased || o.abandoned })
	}
	m.setRetained(msg.topic, append(kept, msg))
}

// setRetained stores what the retained message of a topic may be.
func (m *Model) setRetained(topic string, kept []*message) {
	if len(kept) == 1 && kept[0].payload == "" {
		delete(m.retained, topic)
		return
	}
	m.retained[topic] = kept
}

// sendRetained sends the last retained message of every topic that a new subscription matches
// [MQTT-3.3.1-6], with RETAIN 1 [MQTT-3.3.1-8]. One of QoS 0 may be gone [MQTT-3.3.1-7].
func (m *Model) sendRetained(s *session, filter string, granted byte) {
	var found []*message
	for topic, kept := range m.retained {
		if Matches(filter, topic) {
			found = append(found, kept...)
		}
	}
	slices.SortFunc(found, func(a, b *message) int { return a.number - b.number })
	for _, msg := range found {
		if msg.payload != "" {
			d := &delivery{m: msg, qos: m.qos(msg, granted), retain: true}
			d.unsure = len(m.retained[msg.topic]) > 1 || msg.qos == 0
			m.deliver(s, d)
		}
	}
}
