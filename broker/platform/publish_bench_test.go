package platform_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"sampan/broker/device"
	"sampan/broker/permission"
	"sampan/topictree"
)

// BenchmarkPublish measures what is decided for each topic that is published, for the same topics in the same
// order: whether its device may, and who has subscribed. There are 25,000 devices of 50 products, each with four
// subscriptions; the topics are 16,384 of random devices, so that neither finds in its cache what it had before.
func BenchmarkPublish(b *testing.B) {
	const products, devices = 50, 25_000
	tables := make([]*permission.Table, products)
	for i := range tables {
		registry := device.New(device.Options{})
		p, err := registry.CreateProduct(device.ProductSpec{Key: fmt.Sprintf("a1B2c3D4e%02d", i)})
		if err != nil {
			b.Fatal(err)
		}
		tables[i] = permission.NewTable(p, permission.Options{})
	}
	tree := topictree.New[*permission.Compiled](topictree.Options{})
	grants := make([]*permission.Compiled, devices)
	names := make([]string, devices)
	for i := range grants {
		pk, dn := fmt.Sprintf("a1B2c3D4e%02d", i%products), fmt.Sprintf("device-%05d", i)
		grants[i], names[i] = tables[i%products].For(pk, dn, false), pk+"/"+dn
		for _, filter := range []string{"/" + names[i] + "/get", "/sys/" + names[i] + "/thing/#", "/sys/" + names[i] + "/rrpc/request/+", "/broadcast/" + pk + "/#"} {
			tree.Subscribe(filter, grants[i], 0)
		}
	}
	for _, kind := range []struct{ name, format string }{
		{"system", "/sys/%s/thing/event/property/post"}, {"custom", "/%s/update"}, {"rrpc", "/sys/%s/rrpc/response/1234567890123456789"},
	} {
		rng := rand.New(rand.NewPCG(1, 2))
		topics, whose := make([][]byte, 1<<14), make([]*permission.Compiled, 1<<14)
		for i := range topics {
			n := rng.IntN(devices)
			topics[i], whose[i] = fmt.Appendf(nil, kind.format, names[n]), grants[n]
		}
		b.Run(kind.name+"/permission", func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if n := i % len(topics); !whose[n].MayPublish(topics[n]).Allowed {
					b.Fatalf("%s", topics[n])
				}
			}
		})
		b.Run(kind.name+"/match", func(b *testing.B) {
			b.ReportAllocs()
			var m topictree.Matches[*permission.Compiled]
			for i := 0; b.Loop(); i++ {
				tree.Match(topics[i%len(topics)], &m)
			}
		})
	}
}
