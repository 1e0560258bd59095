package device_test

import (
	"fmt"
	"os"

	"sampan/broker/device"
)

func Example() {
	dir, err := os.MkdirTemp("", "registry")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	r, err := device.Open(dir, device.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()

	cancel := r.Watch(func(c device.Change) {
		if c.Device != nil {
			fmt.Println("watcher:", c.Kind, string(c.Device.Name()))
		}
	})
	defer cancel()

	p, err := r.CreateProduct(device.ProductSpec{Key: "a1B2c3D4e5f", Name: "lamp"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := r.CreateDevice(p.Key, device.DeviceSpec{Name: "kitchen"}); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := r.Disable(p.Key, "kitchen"); err != nil {
		fmt.Println(err)
		return
	}

	d, err := r.Lookup([]byte("a1B2c3D4e5f"), []byte("kitchen"))
	fmt.Println(string(d.Name()), d.Status(), len(d.Secret()), err)
	_, err = r.Lookup([]byte("a1B2c3D4e5f"), []byte("bath"))
	fmt.Println(err)
	// Output:
	// watcher: device-created kitchen
	// watcher: device-disabled kitchen
	// kitchen disabled 32 <nil>
	// device: no such device
}
