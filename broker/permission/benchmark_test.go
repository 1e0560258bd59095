package permission

import (
	"testing"

	"sampan/broker/device"
)

// usual is a table with the default categories and some of an application's.
func usual() *Table {
	r := device.New(device.Options{})
	if _, err := r.CreateProduct(device.ProductSpec{Key: "a1B2c3D4e5f"}); err != nil {
		panic(err)
	}
	for _, c := range []struct {
		topic string
		o     device.Operation
	}{{"user/command/+", device.Subscribe}, {"user/events/#", device.Subscribe}, {"user/data", device.PublishAndSubscribe}} {
		if _, err := r.CreateCategory("a1B2c3D4e5f", c.topic, c.o, ""); err != nil {
			panic(err)
		}
	}
	p, err := r.Product("a1B2c3D4e5f")
	if err != nil {
		panic(err)
	}
	return NewTable(p, Options{})
}

var benchmarks = []struct {
	name, topic string
	allowed     bool
}{
	{"property", "/sys/a1B2c3D4e5f/light-00017/thing/event/property/post", true},
	{"custom", "/a1B2c3D4e5f/light-00017/user/update", true},
	{"rrpc", "/sys/a1B2c3D4e5f/light-00017/rrpc/response/889455942124347392", true},
	{"ntp", "/ext/ntp/a1B2c3D4e5f/light-00017/request", true},
	{"broadcast", "/broadcast/a1B2c3D4e5f/firmware", true},
	{"foreign", "/a1B2c3D4e5f/light-00018/user/update", false},
	{"none", "/a1B2c3D4e5f/light-00017/user/nothing", false},
}

func BenchmarkMayPublish(b *testing.B) {
	c := usual().For("a1B2c3D4e5f", "light-00017", false)
	for _, bench := range benchmarks {
		b.Run(bench.name, func(b *testing.B) {
			topic := []byte(bench.topic)
			b.ReportAllocs()
			for b.Loop() {
				if c.MayPublish(topic).Allowed != bench.allowed {
					b.Fatal(bench.topic)
				}
			}
		})
	}
}

func BenchmarkMaySubscribe(b *testing.B) {
	c := usual().For("a1B2c3D4e5f", "light-00017", false)
	for _, filter := range []string{"/sys/a1B2c3D4e5f/light-00017/thing/#", "/a1B2c3D4e5f/light-00017/user/get",
		"/a1B2c3D4e5f/light-00017/user/command/+"} {
		b.Run(filter[13:], func(b *testing.B) {
			topic := []byte(filter)
			b.ReportAllocs()
			for b.Loop() {
				if !c.MaySubscribe(topic).Allowed {
					b.Fatal(filter)
				}
			}
		})
	}
}

func BenchmarkClassify(b *testing.B) {
	for _, bench := range benchmarks {
		b.Run(bench.name, func(b *testing.B) {
			topic := []byte(bench.topic)
			b.ReportAllocs()
			for b.Loop() {
				if Classify(topic).Kind == Unknown {
					b.Fatal(bench.topic)
				}
			}
		})
	}
}

func BenchmarkFor(b *testing.B) {
	t := usual()
	b.ReportAllocs()
	for b.Loop() {
		if t.For("a1B2c3D4e5f", "light-00017", true) == nil {
			b.Fatal()
		}
	}
}
