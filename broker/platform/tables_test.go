package platform_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/broker/device"
	"sampan/broker/platform"
)

// interrupted is a clock that does something else first the next time that somebody looks at it.
type interrupted struct {
	*brokertest.Clock
	first atomic.Pointer[func()]
}

func (c *interrupted) Now() time.Time {
	if f := c.first.Swap(nil); f != nil {
		(*f)()
	}
	return c.Clock.Now()
}

// A topic category that changes while the first device of a product is let in counts for that device and for all
// that come later. The platform looks at the clock, to limit connects, between looking the device up and compiling
// what it may do.
func TestACategoryChangesWhileTheFirstDeviceConnects(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(s *site, p *device.Product) error
		topic  string
		may    bool
	}{
		{"created", func(s *site, p *device.Product) error {
			_, err := s.Registry.CreateCategory(productKey, "user/fresh", device.Subscribe, "")
			return err
		}, "/%s/user/fresh", true},
		{"changed", func(s *site, p *device.Product) error {
			return s.Registry.ChangeCategory(productKey, p.Categories[0].ID, "user/other", device.Subscribe, "")
		}, "/%s/user/other", true},
		{"deleted", func(s *site, p *device.Product) error {
			for _, c := range p.Categories {
				if c.Suffix == "user/get" {
					return s.Registry.DeleteCategory(productKey, c.ID)
				}
			}
			return device.ErrNoCategory
		}, "/%s/user/get", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			clock := new(interrupted)
			s := start(t, func(o *platform.Options) { clock.Clock, o.Clock = o.Clock.(*brokertest.Clock), clock })
			applied := make(chan struct{}, 1)
			sub, err := s.Broker.Subscribe("/as/"+productKey+"/marker/thing/lifecycle", func(broker.Message) { applied <- struct{}{} })
			if err != nil {
				t.Fatal(err)
			}
			defer sub.Close()
			interrupt := func() {
				p, err := s.Registry.Product(productKey)
				if err == nil {
					err = test.change(s, p)
				}
				if err != nil {
					t.Error(err)
					return
				}
				// Changes are applied in their order, and this one can be heard of.
				s.device(productKey, "marker", "secret-of-marker")
				select {
				case <-applied:
				case <-time.After(brokertest.Patience):
					t.Error("the change was not applied")
				}
			}
			authenticate := func() *broker.Principal {
				t.Helper()
				p := login(productKey, deviceName, deviceSecret, "")
				principal, err := s.Authenticate(context.Background(), &broker.ConnectRequest{
					ClientID: string(p.ClientID), Username: string(p.Username), Password: p.Password,
				})
				if err != nil {
					t.Fatal(err)
				}
				return principal
			}
			clock.first.Store(&interrupt)
			for _, when := range []string{"meanwhile", "later"} {
				if v := authenticate().Authorizer.MaySubscribe([]byte(own(test.topic))); v.OK != test.may {
					t.Errorf("%s: %+v, want %v", when, v, test.may)
				}
			}
			if clock.first.Load() != nil {
				t.Error("nobody looked at the clock")
			}
		})
	}
}
