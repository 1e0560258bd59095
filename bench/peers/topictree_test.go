package main

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	nats "github.com/nats-io/nats-server/v2/server"

	"sampan/topictree"
)

// An index is a topic index under comparison. Topics are given to match in the
// form that the index itself takes, made beforehand by inForm.
type index struct {
	name      string
	subscribe func(filter string, device int)
	inForm    func(topic string) string // topic in the form of this index
	match     func(topic string)
	count     func(topic string) int // subscribers that match finds
}

type subscriber struct{ id int }

func sampanIndex() index {
	tree := topictree.New[*subscriber](topictree.Options{})
	var m topictree.Matches[*subscriber]
	match := func(topic string) {
		tree.Match(unsafe.Slice(unsafe.StringData(topic), len(topic)), &m)
	}
	clients := make([]*subscriber, fleetDevices)
	for i := range clients {
		clients[i] = &subscriber{i}
	}
	return index{
		name:      "sampan",
		subscribe: func(filter string, device int) { tree.Subscribe(filter, clients[device], 1) },
		inForm:    strings.Clone,
		match:     match,
		count:     func(topic string) int { match(topic); return m.Len() },
	}
}

func mochiIndex() index {
	x := mqtt.NewTopicsIndex()
	clients := make([]string, fleetDevices)
	for i := range clients {
		clients[i] = fleetDevice(i)
	}
	return index{
		name: "mochi",
		subscribe: func(filter string, device int) {
			x.Subscribe(clients[device], packets.Subscription{Filter: filter, Qos: 1})
		},
		inForm: strings.Clone,
		match:  func(topic string) { x.Subscribers(topic) },
		count:  func(topic string) int { return len(x.Subscribers(topic).Subscriptions) },
	}
}

// natsIndex takes subjects: dots for slashes, and no empty first level. Its
// subscription type is not exported, so one is made by reflection and its
// subject written by offset; what is measured is called as the server does.
func natsIndex(cache bool) index {
	list := nats.NewSublist(cache)
	insert := reflect.ValueOf(list).MethodByName("Insert")
	kind := insert.Type().In(0).Elem()
	subject, _ := kind.FieldByName("subject")
	toSubject := strings.NewReplacer("/", ".", "+", "*", "#", ">").Replace
	name := "nats"
	if cache {
		name = "nats-cached"
	}
	return index{
		name: name,
		subscribe: func(filter string, device int) {
			sub := reflect.New(kind)
			*(*[]byte)(unsafe.Add(sub.UnsafePointer(), subject.Offset)) = []byte(toSubject(filter[1:]))
			if err := insert.Call([]reflect.Value{sub})[0]; !err.IsNil() {
				panic(err.Interface())
			}
		},
		inForm: func(topic string) string { return toSubject(topic[1:]) },
		match:  func(topic string) { list.Match(topic) },
		count: func(topic string) int {
			return reflect.ValueOf(list.Match(topic)).Elem().FieldByName("psubs").Len()
		},
	}
}

func indexes() []func() index {
	return []func() index{
		sampanIndex,
		mochiIndex,
		func() index { return natsIndex(false) },
		func() index { return natsIndex(true) },
	}
}

const (
	fleetProducts = 50
	fleetDevices  = 25_000
	fleetTopics   = 16_384 // of each kind
)

func fleetProduct(i int) string { return fmt.Sprintf("a1B2c3D4e%02d", i%fleetProducts) }
func fleetDevice(i int) string  { return fmt.Sprintf("device-%05d", i) }

// subscribeFleet makes 100,000 subscriptions of 25,000 devices of 50 products:
// exact, with # and with + in the last place, 480 to each product's broadcast,
// 20 of each product with + in the device's place.
func subscribeFleet(x index) {
	for i := range fleetDevices {
		pk, dn := fleetProduct(i), fleetDevice(i)
		x.subscribe("/"+pk+"/"+dn+"/get", i)
		x.subscribe("/sys/"+pk+"/"+dn+"/thing/#", i)
		x.subscribe("/sys/"+pk+"/"+dn+"/rrpc/request/+", i)
		if i < 24_000 {
			x.subscribe("/broadcast/"+pk+"/#", i)
		} else {
			x.subscribe("/"+pk+"/+/update", i)
		}
	}
}

// fleetCases are the kinds of topic, and how many subscribers each reaches.
var fleetCases = []struct {
	name  string
	topic func(pk, dn string, n int) string
	want  int
}{
	{"get", func(pk, dn string, n int) string { return "/" + pk + "/" + dn + "/get" }, 1},
	{"rrpc", func(pk, dn string, n int) string {
		return fmt.Sprintf("/sys/%s/%s/rrpc/request/%d", pk, dn, n)
	}, 1},
	{"update", func(pk, dn string, n int) string { return "/" + pk + "/" + dn + "/update" }, 20},
	{"none", func(pk, dn string, n int) string { return "/" + pk + "/" + dn + "/nobody" }, 0},
	{"broadcast", func(pk, dn string, n int) string {
		return fmt.Sprintf("/broadcast/%s/%d", pk, n)
	}, 480},
}

// randomTopics returns n topics of a kind in the index's own form.
func randomTopics(x index, topic func(pk, dn string, n int) string, n int) []string {
	rng := rand.New(rand.NewPCG(1, 2))
	topics := make([]string, n)
	for i := range topics {
		d := rng.IntN(fleetDevices)
		topics[i] = x.inForm(topic(fleetProduct(d), fleetDevice(d), rng.IntN(1e6)))
	}
	return topics
}

// TestTopicIndexesAgree: what is compared has to do the same work.
func TestTopicIndexesAgree(t *testing.T) {
	for _, open := range indexes() {
		x := open()
		subscribeFleet(x)
		for _, c := range fleetCases {
			for _, topic := range randomTopics(x, c.topic, 100) {
				if got := x.count(topic); got != c.want {
					t.Fatalf("%s: %s reaches %d subscribers, want %d", x.name, topic, got, c.want)
				}
			}
		}
	}
}

// BenchmarkTopicMatch matches 16,384 different topics of each kind among the
// fleet's subscriptions.
func BenchmarkTopicMatch(b *testing.B) {
	for _, open := range indexes() {
		x := open()
		subscribeFleet(x)
		for _, c := range fleetCases {
			topics := randomTopics(x, c.topic, fleetTopics)
			b.Run(c.name+"/"+x.name, func(b *testing.B) {
				b.ReportAllocs()
				before := cpuTime()
				for i := 0; b.Loop(); i++ {
					x.match(topics[i%fleetTopics])
				}
				b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// BenchmarkTopicSubscribe builds the fleet's index: time and bytes of heap per
// subscription, with the filters' text and whatever record the index needs: for
// nats that includes its subscription struct, which a server has anyhow.
func BenchmarkTopicSubscribe(b *testing.B) {
	for _, open := range indexes() {
		b.Run(open().name, func(b *testing.B) {
			var grown int64
			for b.Loop() {
				b.StopTimer() // looking at the heap is not subscribing
				x := open()
				before := heapBytes()
				b.StartTimer()
				subscribeFleet(x)
				b.StopTimer()
				grown = heapBytes() - before
				runtime.KeepAlive(x)
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(4*fleetDevices), "ns/subscription")
			b.ReportMetric(float64(grown)/(4*fleetDevices), "B/subscription")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// cpuTime returns the processor time of this process in nanoseconds, the
// collector's included: it means something on a busy machine too.
func cpuTime() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func heapBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
