package crash

import (
	"context"
	"errors"
	"net"
)

// target is a broker that can be ended without warning and started again.
type target interface {
	// start returns when the broker accepts connections.
	start(ctx context.Context) error

	// kill ends it. Connections that dial has returned end too.
	kill() error

	// dial connects to it, and says which start of the broker it is, counted from 1. It fails with errDown
	// while the broker does not run.
	dial(ctx context.Context) (net.Conn, int, error)

	// life ends if the broker ends by itself. The cause says how.
	life() context.Context

	// said is the end of what the broker that runs, or was last, has logged.
	said() string

	// close ends the broker, if it runs, in order.
	close() error
}

var errDown = errors.New("the broker does not run")
