package permission

import "sampan/broker/device"

// operation is what a rule permits; a set of bits. The bits of custom RRPC count only for devices that
// announced it.
type operation uint8

const (
	publish operation = 1 << iota
	subscribe
	publishRRPC
	subscribeRRPC
	auto // sent to a device with _ss=1 without a subscription

	both = publish | subscribe
)

// The places of the device's names in a rule.
const (
	productKey = "${productKey}"
	deviceName = "${deviceName}"
)

// rule permits something for the topics that its filter matches. Filters are written without the leading
// slash that all topics of the platform have.
type rule struct {
	filter string
	allow  operation
}

// system are the rules that all products have (mission page; platform-facts 3.2). The two blanket rules for
// thing and rrpc are those of 2018: below them direction is a matter of the services, and a device may
// subscribe whatever the SDKs subscribe, _reply or not.
//
// Not here are /ext/register, /ext/regnwl and /ext/auth/identity/response: what is sent there contains
// secrets, under a name that all devices share, so it goes to its connection and to no subscription.
var system = []rule{
	{"sys/${productKey}/${deviceName}/thing/#", both},
	{"sys/${productKey}/${deviceName}/rrpc/#", both},
	{"sys/${productKey}/${deviceName}/_thing/#", both},
	{"sys/${productKey}/${deviceName}/broadcast/request/+", subscribe | auto},

	{"shadow/update/${productKey}/${deviceName}", publish},
	{"shadow/get/${productKey}/${deviceName}", subscribe | auto},

	{"ota/device/inform/${productKey}/${deviceName}", publish},
	{"ota/device/upgrade/${productKey}/${deviceName}", subscribe | auto},
	{"ota/device/progress/${productKey}/${deviceName}", publish},
	{"ota/device/request/${productKey}/${deviceName}", both},

	{"ext/ntp/${productKey}/${deviceName}/request", publish},
	{"ext/ntp/${productKey}/${deviceName}/response", subscribe | auto},

	{"ext/session/${productKey}/${deviceName}/combine/login", publish},
	{"ext/session/${productKey}/${deviceName}/combine/login_reply", subscribe | auto},
	{"ext/session/${productKey}/${deviceName}/combine/logout", publish},
	{"ext/session/${productKey}/${deviceName}/combine/logout_reply", subscribe | auto},
	{"ext/session/${productKey}/${deviceName}/combine/batch_login", publish},
	{"ext/session/${productKey}/${deviceName}/combine/batch_login_reply", subscribe | auto},
	{"ext/session/${productKey}/${deviceName}/combine/batch_logout", publish},
	{"ext/session/${productKey}/${deviceName}/combine/batch_logout_reply", subscribe | auto},
	{"ext/error/${productKey}/${deviceName}", subscribe | auto},

	{"ext/network/probe/+", subscribe},

	// Custom RRPC: the message id, then a topic of the device's own, with one slash between them.
	{"ext/rrpc/+/${productKey}/${deviceName}/#", publishRRPC | subscribeRRPC | auto},
	{"ext/rrpc/+/sys/${productKey}/${deviceName}/#", publishRRPC | subscribeRRPC | auto},
}

// broadcasts are the rules of topic broadcasts: as the mission page has them, and as they are since 2019.
var (
	broadcasts         = rule{"broadcast/${productKey}/#", both | auto}
	broadcastsReceived = rule{"broadcast/${productKey}/#", subscribe | auto}
)

// received are the topics below thing and rrpc on which the platform speaks (the S of platform-facts 3.2): what
// a device with _ss=1 gets without subscribing. They permit nothing that the blanket rules do not.
var received = []rule{
	{"sys/${productKey}/${deviceName}/rrpc/request/+", auto},
	{"sys/${productKey}/${deviceName}/thing/event/+/post_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/event/property/+/post_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/service/+", auto},
	{"sys/${productKey}/${deviceName}/thing/service/property/set", auto},
	{"sys/${productKey}/${deviceName}/thing/model/up_raw_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/model/down_raw", auto},
	{"sys/${productKey}/${deviceName}/thing/property/desired/get_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/property/desired/delete_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/deviceinfo/update_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/deviceinfo/delete_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/deviceinfo/get_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/dsltemplate/get_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/dynamicTsl/get_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/config/get_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/config/push", auto},
	{"sys/${productKey}/${deviceName}/thing/config/log/get_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/config/log/push", auto},
	{"sys/${productKey}/${deviceName}/thing/log/post_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/topo/add_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/topo/delete_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/topo/get_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/topo/add/notify", auto},
	{"sys/${productKey}/${deviceName}/thing/topo/change", auto},
	{"sys/${productKey}/${deviceName}/thing/list/found_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/sub/register_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/sub/unregister_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/proxy/provisioning/product_register_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/disable", auto},
	{"sys/${productKey}/${deviceName}/thing/enable", auto},
	{"sys/${productKey}/${deviceName}/thing/delete", auto},
	{"sys/${productKey}/${deviceName}/thing/reset_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/gateway/permit", auto},
	{"sys/${productKey}/${deviceName}/thing/ota/firmware/get_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/file/download_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/job/notify", auto},
	{"sys/${productKey}/${deviceName}/thing/job/update_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/job/get_reply", auto},
	{"sys/${productKey}/${deviceName}/thing/awss/enrollee/match_reply", auto},
	{"sys/${productKey}/${deviceName}/_thing/diag/post_reply", auto},
	{"sys/${productKey}/${deviceName}/_thing/event/notify_reply", auto},
}

// byPlatform are the filters that are granted although they match other devices' topics too (see ByPlatform).
var byPlatform = []string{"/ext/rrpc/#", "/ext/rrpc/+/#"}

// ofCategory turns a topic category into the rule for what follows /{productKey}/{deviceName}/.
func ofCategory(c *device.Category) rule {
	var o operation
	if c.Operation.MayPublish() {
		o |= publish
	}
	if c.Operation.MaySubscribe() {
		o |= subscribe
	}
	return rule{c.Suffix, o}
}
