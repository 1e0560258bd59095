package platform_test

import (
	"context"
	"testing"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/broker/device"
	"sampan/broker/ledger"
	"sampan/broker/platform"
	"sampan/packet"
	"sampan/session/logstore"
	"sampan/session/wal/vfs/simdisk"
)

// stored is a site whose sessions are on a disk.
func stored(t *testing.T, disk *simdisk.Disk, registry *device.Registry, kept *ledger.Ledger) *site {
	t.Helper()
	store, err := logstore.Open("", logstore.Options{FS: disk.FS()})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Clock: brokertest.NewClock(), Log: brokertest.NewLog(), Registry: registry, t: t}
	s.Platform = platform.New(platform.Options{Registry: registry, Ledger: kept, Clock: s.Clock, Logger: s.Log.Logger()})
	if s.Broker, err = s.Platform.Broker(broker.Options{Store: store}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) stop() {
	s.t.Helper()
	s.Platform.Close()
	if err := s.Broker.Shutdown(context.Background()); err != nil {
		s.t.Fatal(err)
	}
}

// A device that was deleted while no broker ran leaves no session to one of the same name.
func TestADeletedDeviceLeavesNoSession(t *testing.T) {
	disk, registry := simdisk.New(), device.New(device.Options{})
	if _, err := registry.CreateProduct(device.ProductSpec{Key: productKey, Name: "vectors"}); err != nil {
		t.Fatal(err)
	}
	create := func(name, secret string) {
		t.Helper()
		if _, err := registry.CreateDevice(productKey, device.DeviceSpec{Name: name, Secret: secret}); err != nil {
			t.Fatal(err)
		}
	}
	create(deviceName, deviceSecret)
	create("stays", "secret")
	s := stored(t, disk, registry, nil)
	for name, secret := range map[string]string{deviceName: deviceSecret, "stays": "secret"} {
		c := s.over(broker.Plain, "")
		p := login(productKey, name, secret, "")
		p.CleanSession = false
		c.TryConnect(p)
		c.Subscribe("/"+productKey+"/"+name+"/get", 1)
		c.Disconnect()
		eventually(t, "it is away", func() bool { i, _ := s.Broker.Client(platform.Key(productKey, name)); return !i.Connected })
		if _, err := s.Broker.Publish(t.Context(), "/"+productKey+"/"+name+"/get", []byte("secret"), 1); err != nil {
			t.Fatal(err)
		}
	}
	s.stop()
	if err := registry.Delete(productKey, deviceName); err != nil {
		t.Fatal(err)
	}
	s = stored(t, disk, registry, nil)
	defer s.stop()
	create(deviceName, "another-secret")
	for _, c := range []struct {
		name, secret string
		messages     int
	}{{deviceName, "another-secret", 0}, {"stays", "secret", 1}} {
		if i, _ := s.Broker.Client(platform.Key(productKey, c.name)); i.QueuedCount != c.messages {
			t.Errorf("%s: %d messages wait", c.name, i.QueuedCount)
		}
		client := s.over(broker.Plain, "")
		p := login(productKey, c.name, c.secret, "")
		p.CleanSession = false
		if ack := client.TryConnect(p); ack.Code != packet.Accepted || ack.SessionPresent != (c.messages > 0) {
			t.Errorf("%s: CONNACK %+v", c.name, ack)
		}
		client.Close()
	}
}

// A gateway that is away does not hear of a device that was deleted while no broker ran, nor of one that has its name now.
func TestAGatewayHearsNothingOfDeletedDevices(t *testing.T) {
	disk, registry := simdisk.New(), device.New(device.Options{})
	for _, p := range []device.ProductSpec{{Key: gateProduct, Name: "gateways", NodeType: device.Gateway}, {Key: subProduct, Name: "sub-devices"}} {
		if _, err := registry.CreateProduct(p); err != nil {
			t.Fatal(err)
		}
	}
	create := func(product, name, secret string) {
		t.Helper()
		if _, err := registry.CreateDevice(product, device.DeviceSpec{Name: name, Secret: secret}); err != nil {
			t.Fatal(err)
		}
	}
	create(gateProduct, "gw-c", "secret-c")
	create(subProduct, "sub1", subSecret)
	create(subProduct, "sub2", subSecret)
	kept := ledger.New(ledger.Options{})
	s := stored(t, disk, registry, kept)
	c := s.over(broker.Plain, "")
	p := login(gateProduct, "gw-c", "secret-c", ",_ss=1")
	p.CleanSession = false
	c.TryConnect(p)
	const g = gateProduct + "/gw-c"
	list := []any{signedSub("sub1", subSecret), signedSub("sub2", subSecret)}
	if code := ask(t, c, "/sys/"+g+"/thing/topo/add", list); code != 200 {
		t.Fatalf("topo/add: %d", code)
	}
	if code := ask(t, c, "/ext/session/"+g+"/combine/batch_login", map[string]any{"deviceList": list}); code != 200 {
		t.Fatalf("login: %d", code)
	}
	for _, name := range []string{"sub1", "sub2"} {
		c.Subscribe(sub(name, "get"), 1)
	}
	c.Disconnect()
	eventually(t, "it is away", func() bool { i, _ := s.Broker.Client(g); return !i.Connected })
	s.stop()
	if err := registry.Delete(subProduct, "sub1"); err != nil {
		t.Fatal(err)
	}
	create(subProduct, "sub1", "another-secret")
	s = stored(t, disk, registry, kept)
	defer s.stop()
	for name, want := range map[string]int{"sub1": 0, "sub2": 1} {
		if n, err := s.Broker.Publish(t.Context(), sub(name, "get"), []byte("x"), 1); err != nil || n != want {
			t.Errorf("%s: %d sessions wait for it, want %d, %v", name, n, want, err)
		}
	}
}
