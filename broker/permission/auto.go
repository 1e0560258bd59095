package permission

import (
	"bytes"
	"strings"
)

// AutoReceives reports whether a message on this topic goes to the device without a subscription if it
// connected with _ss=1: the topics on which the platform speaks to it.
func (c *Compiled) AutoReceives(topic []byte) bool {
	if hasWildcard(topic) {
		return false
	}
	_, allowed := c.decideSubscribe(topic, auto)
	return allowed && (c.customRRPC || !bytes.HasPrefix(topic, extRRPC))
}

// AutoSubscriptions are the filters to subscribe for a device that connected with _ss=1, where delivery knows
// only subscriptions. They are few and therefore wide: below thing and rrpc they match what the device itself
// publishes, too. AutoReceives is exact.
func (c *Compiled) AutoSubscriptions() []string {
	device := c.productKey + "/" + c.deviceName
	list := []string{
		"/sys/" + device + "/thing/#",
		"/sys/" + device + "/_thing/#",
		"/sys/" + device + "/rrpc/request/+",
		"/sys/" + device + "/broadcast/request/+",
		"/shadow/get/" + device,
		"/ota/device/upgrade/" + device,
		"/ext/ntp/" + device + "/response",
		"/ext/error/" + device,
		"/broadcast/" + c.productKey + "/#",
	}
	for _, r := range system {
		if rest, found := strings.CutPrefix(r.filter, "ext/session/"+productKey+"/"+deviceName+"/"); found && r.allow&auto != 0 {
			list = append(list, "/ext/session/"+device+"/"+rest)
		}
	}
	if c.customRRPC {
		list = append(list, "/ext/rrpc/+/"+device+"/#", "/ext/rrpc/+/sys/"+device+"/#")
	}
	return list
}
