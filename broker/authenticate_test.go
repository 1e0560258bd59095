package broker_test

import (
	"context"

	"sampan/broker"
)

// authenticate makes an Authenticator of a function that does not need the context.
func authenticate(f func(*broker.ConnectRequest) (*broker.Principal, error)) broker.Authenticator {
	return broker.AuthenticatorFunc(func(_ context.Context, r *broker.ConnectRequest) (*broker.Principal, error) {
		return f(r)
	})
}
