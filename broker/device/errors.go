package device

import (
	"errors"
	"fmt"
)

// What a registry refuses, for errors.Is. The server's API has a code for each.
var (
	ErrNoProduct       = errors.New("device: no such product")
	ErrNoDevice        = errors.New("device: no such device")
	ErrNoCategory      = errors.New("device: no such topic category")
	ErrNoAccessKey     = errors.New("device: no such access key")
	ErrExists          = errors.New("device: exists already")
	ErrInvalid         = errors.New("device: not valid")
	ErrLimit           = errors.New("device: limit reached")
	ErrDisabled        = errors.New("device: device is disabled")
	ErrRegistrationOff = errors.New("device: dynamic registration is off for this product")
	ErrNotEmpty        = errors.New("device: product still has devices")
	ErrActive          = errors.New("device: device is active already")
	ErrClosed          = errors.New("device: registry is closed")

	// ErrInUse says that another process has the registry's directory open.
	ErrInUse = errors.New("device: registry is in use")
)

// refuse makes an error of a kind with its particulars.
func refuse(kind error, format string, args ...any) error {
	return &refusal{kind: kind, detail: fmt.Sprintf(format, args...)}
}

type refusal struct {
	kind   error
	detail string
}

func (r *refusal) Error() string { return r.kind.Error() + ": " + r.detail }
func (r *refusal) Unwrap() error { return r.kind }

// inUse is the error of Open for a directory that another process has.
type inUse struct {
	dir   string
	cause error
}

func (e *inUse) Error() string {
	return fmt.Sprintf("device: the registry in %s is open in another process, perhaps a running broker: "+
		"use that broker's API, or stop it first (%v)", e.dir, e.cause)
}

func (e *inUse) Is(target error) bool { return target == ErrInUse }
func (e *inUse) Unwrap() error        { return e.cause }
