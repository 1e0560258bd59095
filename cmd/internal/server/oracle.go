package server

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"sampan/broker"
)

// oracle writes a line for each protocol violation by a client, so that fuzzers and authors of clients need
// not guess why they were disconnected.
type oracle struct {
	path string

	mu   sync.Mutex // guards what follows, and keeps lines whole
	file *os.File
	err  error // the first line that was not written
}

// violation is one line.
type violation struct {
	Time       time.Time `json:"time"`
	Connection uint64    `json:"connection"`
	Client     string    `json:"client,omitempty"`
	ClientID   string    `json:"clientId,omitempty"`
	Addr       string    `json:"addr"`
	Rule       string    `json:"rule"`
	Packet     string    `json:"packet,omitempty"` // the one at fault
	Offset     int       `json:"offset"`           // of the fault, in bytes from the packet's first one; 0: the packet as a whole
	Detail     string    `json:"detail,omitempty"`
	Limit      int64     `json:"limit,omitempty"`
	Value      int64     `json:"value,omitempty"`
}

// openOracle opens the oracle's file for appending; no path, no oracle.
func openOracle(path string) (*oracle, error) {
	if path == "" {
		return nil, nil
	}
	o := &oracle{path: path}
	return o, o.reopen()
}

// reopen opens the file by its name again, for those who rotate it.
func (o *oracle) reopen() error {
	file := os.Stdout
	if o.path != "-" {
		var err error
		if file, err = os.OpenFile(o.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644); err != nil {
			return fmt.Errorf("the oracle's file: %w", err)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file != nil && o.file != os.Stdout {
		o.file.Close()
	}
	o.file = file
	return nil
}

// Observe implements broker.Observer.
func (o *oracle) Observe(e broker.Event) {
	if e.Reason != broker.ProtocolViolation || e.Kind != broker.Disconnected && e.Kind != broker.Refused {
		return
	}
	v := violation{
		Time: e.Time.UTC(), Connection: e.Connection, Client: e.Client, ClientID: e.ClientID, Addr: e.Addr,
		Rule: e.Rule, Offset: e.Offset, Detail: e.Detail, Limit: e.Limit, Value: e.Value,
	}
	if e.LastPacket != 0 {
		v.Packet = e.LastPacket.String()
	}
	line, err := json.Marshal(v)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		_, err = o.file.Write(append(line, '\n'))
	}
	if o.err == nil {
		o.err = err
	}
}

// close closes the file. It reports the first line that was not written. It may be called on nil.
func (o *oracle) close() error {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file != nil && o.file != os.Stdout {
		if err := o.file.Close(); o.err == nil {
			o.err = err
		}
	}
	if o.err != nil {
		return fmt.Errorf("the oracle's file: %w", o.err)
	}
	return nil
}
