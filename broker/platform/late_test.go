package platform_test

import (
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/broker/platform"
	"sampan/packet"
)

// holding is a broker.Interceptor that keeps the first message on a topic, and with it the connection of its sender,
// until it is released.
type holding struct {
	topic            string
	entered, release chan struct{}
}

func (h *holding) Wants(topic []byte) bool { return string(topic) == h.topic }

func (h *holding) Intercept(*broker.Principal, *packet.Publish) bool {
	close(h.entered)
	<-h.release
	return true
}

// A device that is disabled while its CONNECT, which was checked before, waits for an older connection to end does
// not stay.
func TestADeviceIsDisabledWhileItConnects(t *testing.T) {
	h := &holding{topic: own("/%s/user/update"), entered: make(chan struct{}), release: make(chan struct{})}
	s := start(t, func(o *platform.Options) { o.Interceptor = h })
	applied := make(chan struct{}, 1)
	sub, err := s.Broker.Subscribe(own("/as/%s/thing/lifecycle"), func(broker.Message) { applied <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()

	older := s.connect(productKey, deviceName, deviceSecret, "")
	older.Send(brokertest.Publish(h.topic, "x", 0, 0))
	<-h.entered
	newer := s.over(broker.Plain, "")
	newer.Send(login(productKey, deviceName, deviceSecret, ""))
	older.ExpectClosed() // the newer one was checked, and waits for the older one's goroutine
	if _, err := s.Registry.Disable(productKey, deviceName); err != nil {
		t.Fatal(err)
	}
	select {
	case <-applied: // there was no connection of the newer one to cut yet
	case <-time.After(brokertest.Patience):
		t.Fatal("the change was not applied")
	}
	close(h.release)
	for err := error(nil); err == nil; { // CONNACK may come or not
		_, err = newer.Receive()
	}
	eventually(t, "nobody is connected", func() bool { return s.Stats().Connections == 0 })
	if len(s.Log.Lines("device disabled")) == 0 {
		t.Errorf("the reason is not in the log:\n%s", s.Log)
	}
}
