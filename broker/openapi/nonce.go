package openapi

import (
	"crypto/sha256"
	"sync"
	"time"
)

// nonces remembers the nonces of the requests that were accepted, for as long as their timestamps would be
// accepted again. It holds a bounded number; if there are more, the oldest are forgotten, and a replay of
// those within the window would not be noticed: at the default bound that takes over a thousand signed
// requests a second for the whole window.
type nonces struct {
	mu    sync.Mutex
	seen  map[[16]byte]struct{}
	order []seenAt
}

type seenAt struct {
	nonce [16]byte
	until time.Time
}

const maxNonces = 1 << 20

// use notes a nonce of an access key. It fails if the nonce was used before.
func (n *nonces) use(accessKey, nonce string, now time.Time, window time.Duration) bool {
	sum := sha256.Sum256([]byte(accessKey + "\x00" + nonce))
	key := [16]byte(sum[:])
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.seen == nil {
		n.seen = make(map[[16]byte]struct{})
	}
	for len(n.order) > 0 && (len(n.order) >= maxNonces || now.After(n.order[0].until)) {
		delete(n.seen, n.order[0].nonce)
		n.order = n.order[1:]
	}
	if _, used := n.seen[key]; used {
		return false
	}
	n.seen[key] = struct{}{}
	n.order = append(n.order, seenAt{key, now.Add(2 * window)})
	return true
}
