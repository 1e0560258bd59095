// Package platform makes a broker behave as the MQTT endpoint of the Alibaba Cloud IoT Platform: it joins
// the registry of devices, the check of their credentials, the permissions of their topics, the quantities
// and the calls from server to device, and gives them to a broker as its Authenticator, Interceptor and
// Observer.
//
//	registry, err := device.Open(dir, device.Options{})
//	p := platform.New(platform.Options{Registry: registry})
//	b, err := p.Broker(broker.Options{})
//	go b.Serve(listener)
//
// An embedder who wants only a part of it takes the packages beside this one and wires them himself.
package platform
