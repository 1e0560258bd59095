package broker_test

import (
	"testing"

	"sampan/broker"
	"sampan/broker/brokertest"
	"sampan/packet"
)

// open starts a broker of the Open profile.
func open(t testing.TB) *brokertest.Broker {
	t.Helper()
	return brokertest.Start(t, broker.Options{Profile: broker.Open})
}

// platform starts a broker of the Platform profile whose clients are who they say they are.
func platform(t testing.TB) *brokertest.Broker {
	t.Helper()
	return brokertest.Start(t, broker.Options{Authenticator: believe(nil)})
}

// believe lets everybody in under the client identifier, with the permissions and limits of p.
func believe(p *broker.Principal) broker.Authenticator {
	return authenticate(func(r *broker.ConnectRequest) (*broker.Principal, error) {
		var who broker.Principal
		if p != nil {
			who = *p
		}
		who.Key = r.ClientID
		return &who, nil
	})
}

func suback(id uint16, codes ...byte) *packet.Suback { return &packet.Suback{ID: id, Codes: codes} }
