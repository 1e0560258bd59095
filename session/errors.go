package session

import "errors"

// ErrNoMessage is returned by Store.Load for a message that no session waits for any more.
var ErrNoMessage = errors.New("session: no such message in the store")

// ErrDamaged is returned by Store.Load for a message that the store has, and will never be able to return.
var ErrDamaged = errors.New("session: the message is damaged in the store")

// ErrStoreClosed is returned by every method of a Store after Close.
var ErrStoreClosed = errors.New("session: store is closed")
