package permission

import (
	"bytes"
	"slices"
)

// why finds the reason for a refusal that has nothing to do with the direction.
func (c *Compiled) why(filter []byte) Reason {
	if !c.customRRPC && bytes.HasPrefix(filter, extRRPC) {
		if _, allowed := c.decideSubscribe(filter, subscribeRRPC); allowed || isByPlatform(filter) {
			return NoCustomRRPC
		}
	}
	if _, own := cutPrefix(filter, c.own); own {
		return NoCategory
	}
	switch t := Classify(filter); {
	case foreign(t.ProductKey, c.productKey), foreign(t.DeviceName, c.deviceName):
		return ForeignTopic
	case hasWildcard(filter):
		return TooWide
	case t.Kind == Custom:
		return NoCategory
	}
	return UnknownTopic
}

// foreign reports whether a topic or filter names somebody else.
func foreign(name []byte, own string) bool {
	return name != nil && string(name) != own && !hasWildcard(name)
}

func isByPlatform(filter []byte) bool {
	return slices.ContainsFunc(byPlatform, func(f string) bool { return f == string(filter) })
}

func hasWildcard(filter []byte) bool {
	return bytes.IndexByte(filter, '+') >= 0 || bytes.IndexByte(filter, '#') >= 0
}
