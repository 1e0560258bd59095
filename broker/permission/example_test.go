package permission_test

import (
	"fmt"

	"sampan/broker/device"
	"sampan/broker/permission"
)

func Example() {
	registry := device.New(device.Options{})
	p, err := registry.CreateProduct(device.ProductSpec{Key: "pk"})
	if err != nil {
		fmt.Println(err)
		return
	}
	table := permission.NewTable(p, permission.Options{})
	lamp := table.For("pk", "lamp", false) // once for a connection

	for _, topic := range []string{"/pk/lamp/user/update", "/pk/bath/user/update", "/sys/pk/lamp/thing/event/property/post"} {
		v := lamp.MayPublish([]byte(topic))
		fmt.Println("publish", topic, v.Allowed, v.Reason)
	}
	for _, filter := range []string{"/sys/pk/lamp/thing/#", "/pk/+/user/get", "#"} {
		v := lamp.MaySubscribe([]byte(filter))
		fmt.Println("subscribe", filter, v.Allowed, v.Reason)
	}
	// Output:
	// publish /pk/lamp/user/update true category
	// publish /pk/bath/user/update false foreign-topic
	// publish /sys/pk/lamp/thing/event/property/post true system-topic
	// subscribe /sys/pk/lamp/thing/# true system-topic
	// subscribe /pk/+/user/get false filter-too-wide
	// subscribe # false filter-too-wide
}
