// Package permission decides which topics a device may publish to and subscribe to.
//
// A device may use the topics of its own, as its product's topic categories say, the platform's system topics
// that carry its name, and its product's broadcasts. A filter may be subscribed if everything that it can
// match is permitted: "#" is not, "/sys/{productKey}/{deviceName}/thing/#" is.
//
// A Table holds the rules of a product, compiled to a tree of topic levels; it can be replaced while devices
// are connected. For makes the view of one device, a few words, which is what a connection asks for every
// PUBLISH and SUBSCRIBE: no lock, no allocation, well under 100 ns. What a refusal is for is one word for
// logs and metrics.
//
// Classify says what a topic is, for those who answer it.
package permission
