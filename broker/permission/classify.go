package permission

import "bytes"

// Kind says what a topic is.
type Kind uint8

const (
	Unknown Kind = iota
	Custom       // /{productKey}/{deviceName}/{rest}

	Thing         // /sys/{productKey}/{deviceName}/thing/{rest}
	RRPCRequest   // /sys/{productKey}/{deviceName}/rrpc/request/{messageId}
	RRPCResponse  // /sys/{productKey}/{deviceName}/rrpc/response/{messageId}
	FullBroadcast // /sys/{productKey}/{deviceName}/broadcast/request/{messageId}
	OtherSystem   // /sys/{productKey}/{deviceName}/{rest}

	CustomRRPC // /ext/rrpc/{messageId}{rest}, with the names that rest, a topic itself, has

	NTPRequest  // /ext/ntp/{productKey}/{deviceName}/request
	NTPResponse // /ext/ntp/{productKey}/{deviceName}/response
	Session     // /ext/session/{productKey}/{deviceName}/{rest}
	Fault       // /ext/error/{productKey}/{deviceName}
	OtherExt    // /ext/{rest}

	ShadowUpdate // /shadow/update/{productKey}/{deviceName}
	ShadowGet    // /shadow/get/{productKey}/{deviceName}

	OTAInform   // /ota/device/inform/{productKey}/{deviceName}
	OTAUpgrade  // /ota/device/upgrade/{productKey}/{deviceName}
	OTAProgress // /ota/device/progress/{productKey}/{deviceName}
	OTARequest  // /ota/device/request/{productKey}/{deviceName}

	Broadcast // /broadcast/{productKey}/{rest}
)

var kindNames = [...]string{
	"unknown", "custom", "thing", "rrpc-request", "rrpc-response", "full-broadcast", "other-system", "custom-rrpc",
	"ntp-request", "ntp-response", "session", "error", "other-ext", "shadow-update", "shadow-get", "ota-inform",
	"ota-upgrade", "ota-progress", "ota-request", "broadcast",
}

// String returns a stable word.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[Unknown]
}

// Topic is a topic taken apart. The slices alias the topic; those that its kind does not have are nil. Names
// are not empty, but need not be those of anybody.
type Topic struct {
	Kind       Kind
	ProductKey []byte
	DeviceName []byte
	MessageID  []byte
	Rest       []byte
}

// reply is how the topic of an answer ends.
var reply = []byte("_reply")

// Reply reports whether the topic is that of an answer.
func (t *Topic) Reply() bool { return bytes.HasSuffix(t.Rest, reply) }

// Classify takes a topic apart. It allocates nothing. A filter is read like a topic; its wildcards are names.
func Classify(topic []byte) Topic {
	if len(topic) == 0 || topic[0] != '/' {
		return Topic{}
	}
	first, rest, more := bytes.Cut(topic[1:], slash)
	if !more {
		return Topic{}
	}
	switch string(first) {
	case "sys":
		return classifySystem(rest)
	case "ext":
		return classifyExt(rest)
	case "shadow":
		verb, names, _ := bytes.Cut(rest, slash)
		switch string(verb) {
		case "update":
			return ofDevice(ShadowUpdate, names)
		case "get":
			return ofDevice(ShadowGet, names)
		}
		return Topic{}
	case "ota":
		return classifyOTA(rest)
	case "broadcast":
		product, rest, more := bytes.Cut(rest, slash)
		if len(product) == 0 {
			return Topic{}
		}
		if !more {
			rest = nil
		}
		return Topic{Kind: Broadcast, ProductKey: product, Rest: rest}
	}
	name, rest, more := bytes.Cut(rest, slash)
	if !more || len(first) == 0 || len(name) == 0 {
		return Topic{}
	}
	return Topic{Kind: Custom, ProductKey: first, DeviceName: name, Rest: rest}
}

// named reads {productKey}/{deviceName}/{rest}.
func named(names []byte) (t Topic, rest []byte, ok bool) {
	product, rest, _ := bytes.Cut(names, slash)
	name, rest, more := bytes.Cut(rest, slash)
	if len(product) == 0 || len(name) == 0 {
		return Topic{}, nil, false
	}
	if !more {
		rest = nil
	}
	return Topic{ProductKey: product, DeviceName: name}, rest, true
}

// ofDevice reads a topic that ends with {productKey}/{deviceName}.
func ofDevice(k Kind, names []byte) Topic {
	t, rest, ok := named(names)
	if !ok || rest != nil {
		return Topic{}
	}
	t.Kind = k
	return t
}

func classifySystem(names []byte) Topic {
	t, rest, ok := named(names)
	if !ok || rest == nil {
		return Topic{}
	}
	t.Kind, t.Rest = OtherSystem, rest
	part, below, more := bytes.Cut(rest, slash)
	if !more {
		return t
	}
	switch string(part) {
	case "thing":
		t.Kind, t.Rest = Thing, below
		return t
	case "rrpc":
		verb, id, _ := bytes.Cut(below, slash)
		switch string(verb) {
		case "request":
			return t.withID(RRPCRequest, id)
		case "response":
			return t.withID(RRPCResponse, id)
		}
	case "broadcast":
		if id, found := bytes.CutPrefix(below, requestSlash); found {
			return t.withID(FullBroadcast, id)
		}
	}
	return t
}

var requestSlash = []byte("request/")

// withID is the topic as one that ends with a message id, if it is one.
func (t Topic) withID(k Kind, id []byte) Topic {
	if len(id) == 0 || bytes.IndexByte(id, '/') >= 0 {
		return t
	}
	t.Kind, t.MessageID, t.Rest = k, id, nil
	return t
}

var extSlash = []byte("/ext/")

func classifyExt(rest []byte) Topic {
	part, below, _ := bytes.Cut(rest, slash)
	switch string(part) {
	case "rrpc":
		id, _, more := bytes.Cut(below, slash)
		if len(id) == 0 || !more {
			break
		}
		t := Topic{Kind: CustomRRPC, MessageID: id, Rest: below[len(id):]}
		if !bytes.HasPrefix(t.Rest, extSlash) {
			inner := Classify(t.Rest)
			t.ProductKey, t.DeviceName = inner.ProductKey, inner.DeviceName
		}
		return t
	case "ntp":
		t, verb, ok := named(below)
		switch {
		case ok && string(verb) == "request":
			t.Kind = NTPRequest
			return t
		case ok && string(verb) == "response":
			t.Kind = NTPResponse
			return t
		}
	case "session":
		if t, verb, ok := named(below); ok && verb != nil {
			t.Kind, t.Rest = Session, verb
			return t
		}
	case "error":
		if t := ofDevice(Fault, below); t.Kind == Fault {
			return t
		}
	}
	return Topic{Kind: OtherExt, Rest: rest}
}

func classifyOTA(rest []byte) Topic {
	part, rest, _ := bytes.Cut(rest, slash)
	if string(part) != "device" {
		return Topic{}
	}
	verb, names, _ := bytes.Cut(rest, slash)
	switch string(verb) {
	case "inform":
		return ofDevice(OTAInform, names)
	case "upgrade":
		return ofDevice(OTAUpgrade, names)
	case "progress":
		return ofDevice(OTAProgress, names)
	case "request":
		return ofDevice(OTARequest, names)
	}
	return Topic{}
}
