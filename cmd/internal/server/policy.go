package server

import (
	"github.com/spf13/pflag"

	"sampan/broker"
	"sampan/cmd/internal/value"
)

// Policy decides what neither the standard nor the platform's documentation does. Every first word is the
// default.
type Policy struct {
	ForbiddenPublish value.Word
	DeliveredQoS     value.Word
	KeepAliveZero    value.Word
	KeepAliveLong    value.Word
	QueueFull        value.Word

	MatchChannel      bool
	PlainRegistration bool
}

func (p *Policy) register(flags *pflag.FlagSet) {
	p.ForbiddenPublish = value.OneOf("acknowledge", "silent", "close")
	p.DeliveredQoS = value.OneOf("profile", "publisher", "lower")
	p.KeepAliveZero = value.OneOf("profile", "accept")
	p.KeepAliveLong = value.OneOf("refuse", "clamp")
	p.QueueFull = value.OneOf("drop-oldest", "drop-newest")
	flags.Var(&p.ForbiddenPublish, "forbidden-publish", "a QoS 1 message to a topic that its sender may not use is dropped, and acknowledged, left without an answer, or the connection is closed; platform only")
	flags.Var(&p.DeliveredQoS, "delivered-qos", "messages go out with the publisher's QoS, or with the lower of publisher's and subscription's; profile: publisher in platform, lower in open")
	flags.Var(&p.KeepAliveZero, "keep-alive-zero", "a client that asks for no keep-alive; profile: refused in platform, accepted in open")
	flags.Var(&p.KeepAliveLong, "keep-alive-long", "a keep-alive above the maximum is refused, or the maximum is used instead")
	flags.BoolVar(&p.MatchChannel, "match-channel", false, "refuse a securemode that does not match its channel, as 2 (TLS) over plain TCP; platform only")
	flags.BoolVar(&p.PlainRegistration, "plain-registration", false, "let devices ask for their secrets over an unencrypted channel; platform only")
	flags.Var(&p.QueueFull, "queue-full", "which message goes when a session's queue is full")
}

func (p *Policy) apply(o *broker.Options) {
	o.CloseOnForbidden = p.ForbiddenPublish.String() == "close"
	o.NoPubackOnForbidden = p.ForbiddenPublish.String() == "silent"
	switch p.DeliveredQoS.String() {
	case "publisher":
		o.DeliveredQoS = broker.PublishersQoS
	case "lower":
		o.DeliveredQoS = broker.LowerQoS
	}
	o.AllowNoKeepAlive = p.KeepAliveZero.String() == "accept"
	o.ClampKeepAlive = p.KeepAliveLong.String() == "clamp"
	o.DropNewest = p.QueueFull.String() == "drop-newest"
}
