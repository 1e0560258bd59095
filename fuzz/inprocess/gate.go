package inprocess

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"sampan/broker"
	"sampan/fuzz/model"
	"sampan/packet"
	"sampan/session"
)

// gate is a program that asks for the rules' password, forbids their topics, and says of clients what the rules do.
type gate struct {
	rules   *model.Rules
	nobodys atomic.Int64 // clients without a name
	pauses  atomic.Int64 // of reading, so far
}

// Authenticate implements broker.Authenticator.
func (g *gate) Authenticate(_ context.Context, r *broker.ConnectRequest) (*broker.Principal, error) {
	if g.rules.Password != "" && string(r.Password) != g.rules.Password {
		return nil, &broker.Refusal{Code: packet.RefusedCredentials, Rule: "wrong-password"}
	}
	key := r.ClientID
	if key == "" {
		key = fmt.Sprintf("\x00%d", g.nobodys.Add(1))
	}
	p := &broker.Principal{Key: key, Authorizer: g}
	says := &g.rules.Principal
	p.Lifetime = says.Lifetime
	if says.Own != "" {
		p.Subscriptions = []session.Subscription{{Filter: says.Own, QoS: 1}}
	}
	if says.Welcome != "" {
		p.Welcome = []broker.Message{{Topic: says.Welcome, Payload: []byte("welcome")}}
	}
	if says.Quota > 0 {
		p.Quota = &meter{gate: g}
	}
	return p, nil
}

// MayPublish implements broker.Authorizer.
func (g *gate) MayPublish(topic []byte) broker.Verdict {
	return broker.Verdict{OK: !begins(topic, g.rules.Forbidden), Rule: "forbidden", NoEcho: begins(topic, g.rules.Principal.NoEcho)}
}

// MaySubscribe implements broker.Authorizer.
func (g *gate) MaySubscribe(filter []byte) broker.Verdict { return g.MayPublish(filter) }

func begins(topic []byte, prefix string) bool {
	return prefix != "" && strings.HasPrefix(string(topic), prefix)
}

// meter is the quota of a connection.
type meter struct {
	gate  *gate
	count int  // messages so far
	pause bool // nothing is to be read for a while
}

// Publish implements broker.Quota.
func (m *meter) Publish(int64, byte, int) broker.Verdict {
	m.count++
	quota := m.gate.rules.Principal.Quota
	over := m.count%quota == 0
	m.pause = m.pause || m.count%(2*quota) == 0 && m.gate.rules.Principal.Pause > 0
	return broker.Verdict{OK: !over, Rule: "quota", Limit: int64(quota), Value: int64(m.count)}
}

// Read implements broker.Quota.
func (m *meter) Read(int64, int) time.Duration {
	if !m.pause {
		return 0
	}
	m.pause = false
	return m.gate.rules.Principal.Pause + time.Duration(m.gate.pauses.Add(1))*time.Microsecond
}

// taker is a program that takes the messages of QoS 1 whose topics begin with it.
type taker string

// Wants implements broker.Interceptor.
func (t taker) Wants(topic []byte) bool { return begins(topic, string(t)) }

// Intercept implements broker.Interceptor.
func (t taker) Intercept(_ *broker.Principal, p *packet.Publish) bool { return p.QoS == 1 }
