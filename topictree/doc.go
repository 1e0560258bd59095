// Package topictree answers one question: which subscribers does this topic
// name reach? It knows topic filters and nothing else of MQTT; the subscriber
// is any comparable type.
package topictree
