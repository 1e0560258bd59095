package server

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"sampan/broker"
	"sampan/packet"
)

// oracle writes a line for each connection on which a client has broken a rule of the protocol, so that fuzzers and
// authors of clients need not guess why they were disconnected.
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
	Packet     string    `json:"packet"` // the one at fault; of a silence the one before it
	Offset     int       `json:"offset"` // of the fault, in bytes from the packet's first one; 0: the packet as a whole
	Detail     string    `json:"detail,omitempty"`
	Limit      int64     `json:"limit"` // 0 also where the rule has none
	Value      int64     `json:"value"`
}

// noPacket stands for the packet where none has come.
const noPacket = "none"

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
	if e.Kind != broker.Disconnected && e.Kind != broker.Refused {
		return
	}
	v := violation{
		Time: e.Time.UTC(), Connection: e.Connection, Client: e.Client, ClientID: e.ClientID, Addr: e.Addr,
		Rule: e.Rule, Packet: e.LastPacket.String(), Offset: e.Offset, Detail: e.Detail, Limit: e.Limit, Value: e.Value,
	}
	if e.LastPacket == 0 && e.Rule != string(packet.RuleType) {
		v.Packet = noPacket
	}
	switch e.Reason {
	case broker.ProtocolViolation:
	case broker.KeepAliveTimeout:
		if e.Rule != "MQTT-3.1.2-24" {
			return // the client has not promised that
		}
		// What the broker does then is one statement, and that it has to is another.
		v.Rule, v.Limit = "MQTT-3.1.2-23", e.KeepAlive.Milliseconds()
		v.Detail = fmt.Sprintf("nothing for %d ms, at a keep-alive of %v", e.Value, e.KeepAlive)
	case broker.ClientDisconnected, broker.ConnectionLost:
		if e.Rule == "" {
			return // as it may end
		}
	default:
		return
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
