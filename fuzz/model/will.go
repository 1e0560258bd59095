package model

import "slices"

// keepRetained stores a retained message in the place of the last one [MQTT-3.3.1-5], or removes that
// [MQTT-3.3.1-10, MQTT-3.3.1-11]. While the PUBREL of one has not come, it may be that or the one before.
func (m *Model) keepRetained(msg *message) {
	kept := m.retained[msg.topic]
	if !msg.unreleased {
		kept = slices.DeleteFunc(kept, func(o *message) bool { return !o.unreleased })
	}
	kept = append(kept, msg)
	if len(kept) == 1 && msg.payload == "" {
		delete(m.retained, msg.topic)
		return
	}
	m.retained[msg.topic] = kept
}

// sendRetained sends the last retained message of every topic that a new subscription matches
// [MQTT-3.3.1-6], with RETAIN 1 [MQTT-3.3.1-8].
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
			d.unsure = len(m.retained[msg.topic]) > 1
			m.deliver(s, d)
		}
	}
}
