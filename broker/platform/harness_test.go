package platform_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/broker/credential"
	"sampan/broker/device"
	"sampan/broker/platform"
	"sampan/packet"
)

// site is a platform for one test, with its broker, on a clock that the test moves.
type site struct {
	*platform.Platform
	*broker.Broker
	Registry *device.Registry
	Clock    *brokertest.Clock
	Log      *brokertest.Log
	Events   *brokertest.Events

	t testing.TB
}

// The product and the device of the C SDK's vectors.
const (
	productKey    = "a1B2c3D4e5"
	productSecret = "ps-secret-1"
	deviceName    = "dev1"
	deviceSecret  = "ds-secret-1"
)

func start(t testing.TB, change ...func(*platform.Options)) *site {
	t.Helper()
	s := &site{Clock: brokertest.NewClock(), Log: brokertest.NewLog(), t: t}
	s.Events = brokertest.NewEvents(nil)
	s.Registry = device.New(device.Options{Now: s.Clock.Now, MaxTokensPerDevice: 5})
	s.product(device.ProductSpec{Key: productKey, Secret: productSecret, Name: "vectors", DynamicRegistration: true})
	s.device(productKey, deviceName, deviceSecret)
	o := platform.Options{Registry: s.Registry, Clock: s.Clock, Logger: s.Log.Logger(), Observer: s.Events}
	for _, c := range change {
		c(&o)
	}
	s.Platform = platform.New(o)
	var err error
	if s.Broker, err = s.Platform.Broker(broker.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Platform.Close()
		ctx, cancel := context.WithTimeout(context.Background(), brokertest.Patience)
		defer cancel()
		if err := s.Broker.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return s
}

func (s *site) product(spec device.ProductSpec) {
	s.t.Helper()
	if _, err := s.Registry.CreateProduct(spec); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) device(product, name, secret string) {
	s.t.Helper()
	if _, err := s.Registry.CreateDevice(product, device.DeviceSpec{Name: name, Secret: secret}); err != nil {
		s.t.Fatal(err)
	}
}

// over returns a client on a channel of its own kind.
func (s *site) over(security broker.Security, identity string) *brokertest.Client {
	s.t.Helper()
	near, far := net.Pipe()
	if err := s.Broker.ServeConn(channeled{far, security, identity}); err != nil {
		s.t.Fatal(err)
	}
	return brokertest.NewClient(s.t, near)
}

// channeled is a connection that says what it is.
type channeled struct {
	net.Conn
	security broker.Security
	identity string
}

func (c channeled) Channel() broker.Channel {
	return broker.Channel{Local: c.LocalAddr(), Remote: c.RemoteAddr(), Security: c.security, Identity: c.identity}
}

// login is the CONNECT of a device; parameters go into its client identifier.
func login(product, name, secret, parameters string) *packet.Connect {
	content := credential.Content{ClientID: []byte("test"), DeviceName: []byte(name), ProductKey: []byte(product)}
	return brokertest.ConnectPacket("test|securemode=3,signmethod=hmacsha256"+parameters+"|",
		brokertest.Credentials(name+"&"+product, string(credential.HMACSHA256.AppendHex(nil, []byte(secret), content.AppendTo(nil)))))
}

// connect connects a device and fails the test if it is refused.
func (s *site) connect(product, name, secret, parameters string) *brokertest.Client {
	s.t.Helper()
	c := s.over(broker.Plain, "")
	if ack := c.TryConnect(login(product, name, secret, parameters)); ack.Code != packet.Accepted {
		c.Fatalf("CONNECT was answered with %q\n%s", ack.Code, s.Log)
	}
	return c
}

// code tries to connect and returns the code of the CONNACK.
func (s *site) code(security broker.Security, p *packet.Connect) packet.ReturnCode {
	s.t.Helper()
	c := s.over(security, "")
	defer c.Close()
	return c.TryConnect(p).Code
}

// expectPublish wants a message next.
func expectPublish(t testing.TB, c *brokertest.Client, topic, payload string) {
	t.Helper()
	if p := c.NextPublish(); string(p.Topic) != topic || string(p.Payload) != payload {
		t.Fatalf("got %s %s\nwant %s %s", p.Topic, p.Payload, topic, payload)
	}
}

// eventually waits for something that another goroutine is about to do.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(brokertest.Patience); !done(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("this did not happen: %s", what)
		}
	}
}

func own(format string) string { return fmt.Sprintf(format, productKey+"/"+deviceName) }
