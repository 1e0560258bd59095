// Package script is the form in which a conversation with a broker is written down: a line for each packet,
// broken connection, pause and restart, to be read, compared and replayed by people, and bytes that a fuzzer
// can change anywhere.
//
//	profile open
//	A connect alice keepalive 60
//	A subscribe 1 a/+ q1
//	B connect bob clean keepalive 60
//	B publish a/b q1 id 1 "m1"
//	    A < PUBLISH a/b q1 id 1 "m1"
//	    B < PUBACK 1
//	A cut
//	wait 1m30s
//	restart
//
// A letter stands for a connection. When its connection is gone, the next packet makes a new one. What is
// indented says what a broker has to answer; it is computed by the model, and not read.
package script

import (
	"fmt"
	"time"

	"sampan/fuzz/model"
)

// Kind says what a step is.
type Kind uint8

// What can happen.
const (
	Send     Kind = iota // a client sends bytes, as a rule one packet
	Ack                  // a client acknowledges a message that it has received
	Again                // it sends the last acknowledgement once more
	Cut                  // a client closes its connection without a word
	Wait                 // time passes
	Restart              // the broker is stopped and started again
	PowerCut             // the machine is; with bytes: while they are handled, before the disk has any of it
	Stall                // a client reads nothing from now on
	Read                 // it reads again
	Late                 // the store does not say that anything holds, until it is asked to again, or a client goes
	Hold                 // a client does not answer PUBREC and PUBREL by itself any more
	Host                 // the program in whose process the broker is does something
)

// Step is one thing that happens.
type Step struct {
	Kind Kind
	Conn int           // which connection: 0 is A
	Raw  []byte        // Send, PowerCut: the bytes
	Join bool          // Send: in one write with the step before, of the same connection
	N    int           // Ack: the N-th, from 0, of the messages not acknowledged
	For  time.Duration // Wait
	Call *model.Call   // Host
}

// Script is a conversation of some clients with one broker.
type Script struct {
	Profile string // of model.ByName
	Disk    bool   // sessions are kept on a disk, which is simulated; otherwise restarts are, but not the power's
	Other   bool   // the broker's options are the other way round, where Rules has one
	Told    bool   // the program says of clients what model.Principals does
	Watched bool   // somebody in the broker's process has subscribed to everything
	Chunk   int    // the network hands over at most so many bytes at a time; 0: any number
	Steps   []Step
}

// Conns is the number of connections in a script: A to H.
const Conns = 8

// Rules returns the model's rules for the script's profile; those of the open one if there is none.
func (s *Script) Rules() model.Rules {
	r, ok := model.ByName(s.Profile)
	if !ok {
		r = model.Open()
	}
	if s.Other {
		r.NoKeepAlive, r.DropNewest, r.CloseForbidden = true, true, true
	}
	if s.Told {
		if r.Principal = model.Principals(); r.Outbound > 0 {
			r.Principal.Pause = 0 // one reason for not reading from a client at a time
		}
	}
	return r
}

// Target is a broker on which scripts are carried out.
type Target interface {
	// Send sends bytes on a connection, which it makes first if there is none.
	Send(conn int, raw []byte) error
	// Cut closes a connection. It is not called for one that the broker has closed.
	Cut(conn int) error
	// Wait lets time pass.
	Wait(d time.Duration) error
	// Restart stops the broker and starts it again.
	Restart() error
	// PowerCut does that without a warning. If there are bytes it first sends them while the disk takes
	// nothing any more, and returns what the broker has said to that, and
	// whether it has closed the connection.
	PowerCut(conn int, raw []byte) (said []byte, closed bool, err error)
	// Stall makes a client read nothing, and Read all that there is.
	Stall(conn int) error
	Read(conn int) error
	// Late makes the broker's store wait before it says that something holds, or go on.
	Late(waits bool) error
	// Host makes a call of the program in whose process the broker is. It fails if that is not told what the model
	// is.
	Host(call *model.Call, told string) error
	// Observe waits until nothing more is to be expected, and tells the model what has arrived. The step
	// is the last one that was carried out.
	Observe(m *model.Model, step int) (*model.Deviation, error)
}

// Counter is a target that also says how much it holds at the end of a script.
type Counter interface {
	// Count compares that with what the model does.
	Count(m *model.Model) error
}

// Result is what became of a script.
type Result struct {
	Step      int              // at which it ended
	Deviation *model.Deviation // nil: the broker did what the model says
	Err       error            // of the target
}

// Run carries out a script on a target and compares it with the model, step by step, until the first
// deviation.
func Run(s *Script, rules model.Rules, t Target) Result {
	m := model.New(rules)
	for i := 0; i < len(s.Steps); i++ {
		st := &s.Steps[i]
		var err error
		if goesOn := st.Kind != Send && st.Kind != Ack && st.Kind != Late; m.Late() && goesOn {
			if dev, err := late(false, m, t, i); dev != nil || err != nil {
				return Result{Step: i, Deviation: dev, Err: err}
			}
		}
		switch st.Kind {
		case Late:
			if rules.Outbound > 0 {
				continue // when answers take a slow client's room would depend on when the store has them
			}
			if dev, err := late(!m.Late(), m, t, i); dev != nil || err != nil {
				return Result{Step: i, Deviation: dev, Err: err}
			}
		case Send:
			if m.Closing(st.Conn) {
				continue
			}
			var dev *model.Deviation
			if i, dev, err = sendJoined(s, i, m, t); dev != nil {
				return Result{Step: i, Deviation: dev}
			}
		case Ack:
			if raw := m.Acknowledge(st.Conn, st.N); raw != nil && !m.Unready(st.Conn, raw) && !(m.Paused(st.Conn) && m.Full(st.Conn)) {
				m.Send(st.Conn, raw)
				err = t.Send(st.Conn, raw)
			}
		case Again:
			if raw := m.AcknowledgeAgain(st.Conn); raw != nil && !m.Full(st.Conn) {
				m.Send(st.Conn, raw)
				err = t.Send(st.Conn, raw)
			}
		case Cut:
			if m.Open(st.Conn) && !m.Paused(st.Conn) { // whom nobody reads from is not seen to go
				m.Cut(st.Conn)
				err = t.Cut(st.Conn)
			}
		case Wait:
			m.Wait(st.For)
			err = t.Wait(st.For)
		case Restart:
			m.Restart()
			err = t.Restart()
		case PowerCut:
			var dev *model.Deviation
			if dev, err = powerCut(st, m, t); dev != nil {
				return Result{Step: i, Deviation: dev}
			}
		case Stall:
			if m.Accepted(st.Conn) {
				m.Stall(st.Conn)
				err = t.Stall(st.Conn)
			}
		case Read:
			if m.Stalled(st.Conn) {
				m.Read(st.Conn)
				err = t.Read(st.Conn)
			}
		case Hold:
			m.Hold(st.Conn)
		case Host:
			err = t.Host(st.Call, m.Call(st.Call))
		}
		if err != nil {
			return Result{Step: i, Err: err}
		}
		if dev, err := t.Observe(m, i); dev != nil || err != nil {
			return Result{Step: i, Deviation: dev, Err: err}
		}
		m.Settle()
	}
	return readAll(s, m, t)
}

// late makes the store wait, or go on.
func late(waits bool, m *model.Model, t Target, step int) (*model.Deviation, error) {
	if waits {
		m.StoreWaits()
		return nil, t.Late(true)
	}
	m.StoreGoesOn()
	if err := t.Late(false); err != nil {
		return nil, err
	}
	dev, err := t.Observe(m, step)
	m.Settle()
	return dev, err
}

// readAll ends a script: clients that do not read do now, so that what they have missed is seen.
func readAll(s *Script, m *model.Model, t Target) Result {
	end := len(s.Steps)
	if m.Late() {
		if dev, err := late(false, m, t, end); dev != nil || err != nil {
			return Result{Step: end, Deviation: dev, Err: err}
		}
	}
	for i := range Conns {
		if !m.Stalled(i) {
			continue
		}
		m.Read(i)
		if err := t.Read(i); err != nil {
			return Result{Step: end, Err: err}
		}
		if dev, err := t.Observe(m, end); dev != nil || err != nil {
			return Result{Step: end, Deviation: dev, Err: err}
		}
		m.Settle()
	}
	if c, ok := t.(Counter); ok {
		return Result{Step: end, Err: c.Count(m)}
	}
	return Result{Step: end}
}

// powerCut carries out a PowerCut. Whatever the broker has done with the bytes is gone, so nothing that it has
// said may promise otherwise.
func powerCut(st *Step, m *model.Model, t Target) (*model.Deviation, error) {
	raw := st.Raw
	if m.Closing(st.Conn) || m.Stalled(st.Conn) || m.Paused(st.Conn) {
		raw = nil // nobody would see an answer
	}
	promise := raw != nil && m.Promises(st.Conn, raw)
	m.PowerCut()
	said, closed, err := t.PowerCut(st.Conn, raw)
	if promise && err == nil {
		return model.BrokenPromise(st.Conn, raw, said, closed), nil
	}
	return nil, err
}

// sendJoined carries out a Send with those that are joined to it, in one write. An acknowledgement is sent
// by itself: which message it is about depends on what has arrived before. So is every packet where there is
// little room for what the broker has to say to it.
func sendJoined(s *Script, i int, m *model.Model, t Target) (int, *model.Deviation, error) {
	conn := s.Steps[i].Conn
	var write []byte
	flush := func() error {
		if len(write) == 0 {
			return nil
		}
		err := t.Send(conn, write)
		write = nil
		return err
	}
	for first := i; ; i++ {
		for _, piece := range m.Split(conn, s.Steps[i].Raw) {
			if i > first && !m.Open(conn) && len(write) > 0 {
				// Nobody looks at what is behind the packet that ends a connection [MQTT-3.1.4-5, MQTT-3.14.4-2].
				write = append(write, piece...)
				continue
			}
			if i > first && !m.Open(conn) || m.Full(conn) || m.Entangled(conn, piece) {
				break // what was sent before has ended the connection, or is not read
			}
			if m.Late() {
				if err := flush(); err != nil {
					return i, nil, err
				}
				if dev, err := t.Observe(m, i); dev != nil || err != nil {
					return i, dev, err
				}
				m.Settle()
				if i > first && !m.Open(conn) || m.Unready(conn, piece) {
					break
				}
			}
			alone := m.Accepted(conn) && piece[0]>>4 >= 4 && piece[0]>>4 <= 7 || m.Rules().Outbound > 0
			if alone && len(write) > 0 {
				if err := flush(); err != nil {
					return i, nil, err
				}
				if dev, err := t.Observe(m, i); dev != nil || err != nil {
					return i, dev, err
				}
				m.Settle()
				if !m.Open(conn) {
					break
				}
			}
			wasOpen := m.Open(conn)
			m.Send(conn, piece)
			write = append(write, piece...)
			last := alone || m.Paused(conn)
			if last || !wasOpen && m.Open(conn) {
				if err := flush(); err != nil {
					return i, nil, err
				}
				if last {
					if dev, err := t.Observe(m, i); dev != nil || err != nil {
						return i, dev, err
					}
					m.Settle()
				}
			}
			if !m.Open(conn) {
				break
			}
		}
		if i+1 == len(s.Steps) || !s.Steps[i+1].Join || s.Steps[i+1].Kind != Send || s.Steps[i+1].Conn != conn {
			return i, nil, flush()
		}
	}
}

// At names a step, for messages.
func (s *Script) At(i int) string {
	if i < len(s.Steps) {
		return fmt.Sprintf("%d, %s", i+1, &s.Steps[i])
	}
	return fmt.Sprintf("%d, the end", i+1)
}
