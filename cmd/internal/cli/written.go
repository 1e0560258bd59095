package cli

import (
	"io"
	"sync"
)

// written is standard output that remembers its first failure. Commands print with fmt and do not look at every
// error; Run does, once, for all of them: a secret that nobody could read must not end with status 0.
type written struct {
	w io.Writer

	mu  sync.Mutex // sub prints from the goroutine of its client
	err error
}

func (o *written) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.err == nil {
			o.err = err
		}
	}
	return n, err
}

// failure is why something could not be written, or nil.
func (o *written) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}
