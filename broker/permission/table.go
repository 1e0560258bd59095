package permission

import (
	"slices"
	"sync/atomic"

	"sampan/broker/device"
)

// Options are what years and pages differ in.
type Options struct {
	// BroadcastsReceivedOnly keeps devices from publishing broadcasts of their product, as since 2019. The
	// mission page allows it.
	BroadcastsReceivedOnly bool
}

// Table is the permissions of a product. It may be replaced while its devices are connected.
type Table struct {
	rules atomic.Pointer[rules]
}

// rules are what a Table holds at one time.
type rules struct {
	generation uint64
	published  map[string]bool // what may be published below /{productKey}/{deviceName}/
	subscribed *node           // what may be subscribed there
	system     *trees
}

// trees are the rules of the system topics, which products share. Most messages are below
// /sys/{productKey}/{deviceName}/, so the way there is shortened.
type trees struct {
	published, publishedBelowSys *node // what may be published
	received, receivedBelowSys   *node // what may be subscribed, or is received without it
}

func systemTrees(broadcast rule) *trees {
	all := append(slices.Clone(system), broadcast)
	t := &trees{
		published: build(publish|publishRRPC, all),
		received:  build(subscribe|subscribeRRPC|auto, all, received),
	}
	belowSys := func(n *node) *node { return n.child("sys").child(productKey).child(deviceName) }
	t.publishedBelowSys, t.receivedBelowSys = belowSys(t.published), belowSys(t.received)
	return t
}

var (
	withBroadcasts = systemTrees(broadcasts)
	receivedOnly   = systemTrees(broadcastsReceived)
)

// NewTable compiles the topic categories of a product.
func NewTable(p *device.Product, o Options) *Table {
	t := new(Table)
	t.Replace(p, o)
	return t
}

// Replace puts the categories that the product has now in the place of the old ones. Every decision from now
// on is made by them, also for devices that are connected. Subscriptions that exist are the broker's to look
// at again; the generation tells it that it has to.
func (t *Table) Replace(p *device.Product, o Options) {
	fresh := &rules{published: map[string]bool{}, system: withBroadcasts}
	if o.BroadcastsReceivedOnly {
		fresh.system = receivedOnly
	}
	custom := make([]rule, len(p.Categories))
	for i := range p.Categories {
		custom[i] = ofCategory(&p.Categories[i])
		if custom[i].allow&publish != 0 {
			fresh.published[custom[i].filter] = true // no wildcards here: see device.Category
		}
	}
	fresh.subscribed = build(subscribe, custom)
	for {
		old := t.rules.Load()
		fresh.generation = 1
		if old != nil {
			fresh.generation = old.generation + 1
		}
		if t.rules.CompareAndSwap(old, fresh) {
			return
		}
	}
}

// Generation counts how often the table was made or replaced. A decision that was kept is good as long as it
// has not changed.
func (t *Table) Generation() uint64 { return t.rules.Load().generation }
