package alink

import (
	"strings"

	"sampan/broker/alink/envelope"
)

// topic is what a system topic says: whose it is, and what is asked for.
type topic struct {
	productKey, deviceName string
	service                service
	path                   string // of thing: what follows /thing/, or _thing/ and what follows that
}

// hidden begins the path of a topic that the platform's pages leave out and its SDKs use.
const hidden = "_thing/"

// method is the method of the requests on a topic. On the hidden ones SDKs send others, or none.
func (t topic) method() string { return envelope.MethodOf(strings.TrimPrefix(t.path, hidden)) }

// hidden reports whether the topic is one of those that begin with _thing.
func (t topic) hidden() bool { return strings.HasPrefix(t.path, hidden) }

// service is the family of a topic.
type service uint8

const (
	unknown     service = iota
	thing               // /sys/{pk}/{dn}/thing/... and /sys/{pk}/{dn}/_thing/...
	ntp                 // /ext/ntp/{pk}/{dn}/request
	shadow              // /shadow/update/{pk}/{dn}
	otaInform           // /ota/device/inform/{pk}/{dn}
	otaProgress         // /ota/device/progress/{pk}/{dn}
	otaRequest          // /ota/device/request/{pk}/{dn}
)

// classify reads a topic name. It does not allocate.
func classify(name string) topic {
	rest, ok := strings.CutPrefix(name, "/sys/")
	if ok {
		pk, rest, _ := strings.Cut(rest, "/")
		dn, rest, _ := strings.Cut(rest, "/")
		if path, ok := strings.CutPrefix(rest, "thing/"); ok && path != "" {
			return topic{pk, dn, thing, path}
		}
		if strings.HasPrefix(rest, hidden) && rest != hidden {
			return topic{pk, dn, thing, rest}
		}
		return topic{}
	}
	for _, s := range [...]struct {
		prefix, suffix string
		service        service
	}{
		{"/ext/ntp/", "/request", ntp},
		{"/shadow/update/", "", shadow},
		{"/ota/device/inform/", "", otaInform},
		{"/ota/device/progress/", "", otaProgress},
		{"/ota/device/request/", "", otaRequest},
	} {
		rest, ok := strings.CutPrefix(name, s.prefix)
		if !ok {
			continue
		}
		if rest, ok = strings.CutSuffix(rest, s.suffix); !ok {
			return topic{}
		}
		pk, dn, ok := strings.Cut(rest, "/")
		if !ok || dn == "" || strings.Contains(dn, "/") {
			return topic{}
		}
		return topic{pk, dn, s.service, ""}
	}
	return topic{}
}
