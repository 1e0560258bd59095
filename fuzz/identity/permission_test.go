package identity

import (
	"bytes"
	"strings"
	"testing"

	"sampan/broker/device"
	"sampan/broker/permission"
	"sampan/internal/ceiling"
)

// FuzzPermission asks for any topic and filter on behalf of a device, with any topic categories. What it
// holds: nothing panics; a filter is permitted exactly if what it matches is, which the topics with a level
// that no rule names decide; a device gets nothing of another one; and a topic that is taken apart can be put
// together again.
//
// categories has a line for each topic category: PUB, SUB or ALL, a blank, and the part behind the name.
func FuzzPermission(f *testing.F) {
	f.Fuzz(func(t *testing.T, categories, topic, filter []byte, flags byte) {
		defer ceiling.Bytes(ceiling.Lots + 64*(len(categories)+len(topic)+len(filter))).Hold(t)()
		table := tableOf(categories, flags&1 != 0)
		own := table.For("pk", "dev1", flags&2 != 0)
		other := table.For("pk", "dev2", flags&2 != 0)
		if utf8Topic(topic) {
			checkTopic(t, own, other, topic)
			checkKind(t, topic)
		}
		if validFilter(filter) {
			checkFilter(t, own, other, filter)
		}
	})
}

// tableOf makes a table of those lines that are topic categories.
func tableOf(lines []byte, receivedOnly bool) *permission.Table {
	r := device.New(device.Options{MaxCategoriesPerProduct: 50})
	if _, err := r.CreateProduct(device.ProductSpec{Key: "pk"}); err != nil {
		panic(err)
	}
	for i, line := range bytes.Split(lines, []byte("\n")) {
		operation, suffix, _ := strings.Cut(string(line), " ")
		if o, ok := device.ParseOperation(operation); ok && i < 60 {
			_, _ = r.CreateCategory("pk", suffix, o, "") // those that are not valid are left out
		}
	}
	p, err := r.Product("pk")
	if err != nil {
		panic(err)
	}
	return permission.NewTable(p, permission.Options{BroadcastsReceivedOnly: receivedOnly})
}

func utf8Topic(topic []byte) bool {
	return len(topic) > 0 && len(topic) <= 200 && bytes.IndexByte(topic, 0) < 0
}

// validFilter is MQTT's rule for filters (section 4.7.1).
func validFilter(filter []byte) bool {
	if !utf8Topic(filter) {
		return false
	}
	levels := strings.Split(string(filter), "/")
	for i, level := range levels {
		if level == "+" || level == "#" && i == len(levels)-1 {
			continue
		}
		if strings.ContainsAny(level, "+#") {
			return false
		}
	}
	return true
}

func checkTopic(t *testing.T, own, other *permission.Compiled, topic []byte) {
	wild := bytes.ContainsAny(topic, "+#")
	publish, subscribe := own.MayPublish(topic), own.MaySubscribe(topic)
	if wild && (publish.Allowed || own.MayReceive(topic) || own.AutoReceives(topic)) {
		t.Fatalf("%q has a wildcard and is permitted", topic)
	}
	if !wild && own.MayReceive(topic) != subscribe.Allowed {
		t.Fatalf("%q: receive %v, subscribe %v", topic, own.MayReceive(topic), subscribe.Allowed)
	}
	if own.AutoReceives(topic) && !own.MayReceive(topic) {
		t.Fatalf("%q is sent unasked and may not be received", topic)
	}
	for _, v := range []permission.Verdict{publish, subscribe} {
		if v.Reason.String() == "unknown" || v.Allowed != (v.Reason <= permission.ByPlatform) {
			t.Fatalf("%q: %v because of %s", topic, v.Allowed, v.Reason)
		}
	}
	// Two devices of one product share its broadcasts, and no other topic to publish to.
	if publish.Allowed && other.MayPublish(topic).Allowed && publish.Reason != permission.ByBroadcast {
		t.Fatalf("%q may be published by two devices", topic)
	}
	if publish.Allowed && other.MayReceive(topic) && publish.Reason != permission.ByBroadcast {
		t.Fatalf("%q goes from one device to another", topic)
	}
}

// fresh is a level that no rule names.
const fresh = "no-rule-names-this"

// deepest is how many levels a rule can have.
const deepest = 12

func checkFilter(t *testing.T, own, other *permission.Compiled, filter []byte) {
	v := own.MaySubscribe(filter)
	if v.Reason == permission.ByPlatform {
		if !bytes.HasPrefix(filter, []byte("/ext/rrpc/")) {
			t.Fatalf("%q is left to the platform", filter)
		}
		return
	}
	levels := strings.Split(string(filter), "/")
	rest := levels[len(levels)-1] == "#"
	if rest {
		levels = levels[:len(levels)-1]
	}
	for i := range levels {
		if levels[i] == "+" {
			levels[i] = fresh
		}
	}
	all := true
	for range deepest {
		if len(levels) > 0 && strings.Join(levels, "/") != "" {
			all = all && own.MayReceive([]byte(strings.Join(levels, "/")))
		}
		if !rest {
			break
		}
		levels = append(levels, fresh)
	}
	if all != v.Allowed {
		t.Fatalf("%q: %v (%s), the topics it matches: %v", filter, v.Allowed, v.Reason, all)
	}
	if v.Allowed && v.Reason != permission.ByBroadcast && other.MaySubscribe(filter).Allowed && !bytes.HasPrefix(filter, []byte("/ext/network/")) {
		t.Fatalf("%q may be subscribed by two devices", filter)
	}
}

// checkKind puts a topic together again from its parts.
func checkKind(t *testing.T, topic []byte) {
	c := permission.Classify(topic)
	pk, dn, id, rest := string(c.ProductKey), string(c.DeviceName), string(c.MessageID), string(c.Rest)
	again := map[permission.Kind]string{
		permission.Unknown:       string(topic),
		permission.Custom:        "/" + pk + "/" + dn + "/" + rest,
		permission.Thing:         "/sys/" + pk + "/" + dn + "/thing/" + rest,
		permission.RRPCRequest:   "/sys/" + pk + "/" + dn + "/rrpc/request/" + id,
		permission.RRPCResponse:  "/sys/" + pk + "/" + dn + "/rrpc/response/" + id,
		permission.FullBroadcast: "/sys/" + pk + "/" + dn + "/broadcast/request/" + id,
		permission.OtherSystem:   "/sys/" + pk + "/" + dn + "/" + rest,
		permission.CustomRRPC:    "/ext/rrpc/" + id + rest,
		permission.NTPRequest:    "/ext/ntp/" + pk + "/" + dn + "/request",
		permission.NTPResponse:   "/ext/ntp/" + pk + "/" + dn + "/response",
		permission.Session:       "/ext/session/" + pk + "/" + dn + "/" + rest,
		permission.Fault:         "/ext/error/" + pk + "/" + dn,
		permission.OtherExt:      "/ext/" + rest,
		permission.ShadowUpdate:  "/shadow/update/" + pk + "/" + dn,
		permission.ShadowGet:     "/shadow/get/" + pk + "/" + dn,
		permission.OTAInform:     "/ota/device/inform/" + pk + "/" + dn,
		permission.OTAUpgrade:    "/ota/device/upgrade/" + pk + "/" + dn,
		permission.OTAProgress:   "/ota/device/progress/" + pk + "/" + dn,
		permission.OTARequest:    "/ota/device/request/" + pk + "/" + dn,
		permission.Broadcast:     "/broadcast/" + pk,
	}[c.Kind]
	if c.Kind == permission.Broadcast && c.Rest != nil {
		again += "/" + rest
	}
	if again != string(topic) {
		t.Fatalf("%q is %s: %+v", topic, c.Kind, c)
	}
	if c.ProductKey != nil && len(c.ProductKey) == 0 || c.DeviceName != nil && len(c.DeviceName) == 0 ||
		strings.Contains(pk, "/") || strings.Contains(dn, "/") || strings.Contains(id, "/") {
		t.Fatalf("%q: names %q and %q, message %q", topic, pk, dn, id)
	}
}
