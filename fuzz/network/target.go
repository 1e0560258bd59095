package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"sampan/fuzz/model"
	"sampan/fuzz/script"
	"sampan/packet"
)

// Dialer makes a connection to a broker.
type Dialer func(ctx context.Context) (net.Conn, error)

// Restarter restarts a broker.
type Restarter func(ctx context.Context) error

// slack is how much the model's clock and the broker's may differ: packets take their time.
const slack = 300 * time.Millisecond

// Target is a broker somewhere on which scripts are carried out. It implements script.Target.
type Target struct {
	Dial Dialer
	// Patience is how long an answer may take before it counts as missing. Default 2 s.
	Patience time.Duration
	// Restarter stops the broker, starts it again, and returns when it takes connections. nil: nobody does.
	Restarter Restarter
	// Username and Password are put into every CONNECT on its way to the broker, if Username is not empty. Nothing
	// that is reported has them.
	Username, Password string

	began time.Time // when the script did
	ctx   context.Context
	conns [script.Conns]*conn
	news  chan arrival
	early []arrival // taken from news while Cut looked for something else
	Said  []string  // what has happened, a line for each packet in either direction

	mine map[string]bool // clients and topics of which nothing is left that was there before the first script
}

// conn is a connection of a client.
type conn struct {
	nc     net.Conn
	acted  bool // the client has sent something since the last Observe
	single bool // it has sent one packet so far, and nothing behind it
}

// arrival is a packet, or with raw nil the end of a connection.
type arrival struct {
	i   int
	c   *conn
	raw []byte
	err error
}

// Begin makes the target ready for a script. Connections of the one before are closed.
func (t *Target) Begin(ctx context.Context) {
	t.End()
	t.ctx, t.news, t.early, t.Said, t.began = ctx, make(chan arrival, 4096), nil, nil, time.Now()
	if t.Patience == 0 {
		t.Patience = 2 * time.Second
	}
}

// End closes all connections.
func (t *Target) End() {
	for i, c := range t.conns {
		if c != nil {
			c.nc.Close()
			t.conns[i] = nil
		}
	}
}

func (t *Target) login() login { return login{t.Username, t.Password} }

func (t *Target) say(i int, what string) { t.Said = append(t.Said, string(rune('A'+i))+what) }

// open makes a connection.
func (t *Target) open(i int) (*conn, error) {
	ctx, cancel := context.WithTimeout(t.ctx, t.Patience)
	defer cancel()
	nc, err := t.Dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &conn{nc: nc}
	t.conns[i] = c
	news := t.news
	go func() { // ends with the connection, which Cut, Observe or End closes
		var buf []byte
		for {
			for len(buf) > 0 {
				_, n, _, err := packet.Next(buf, &packet.Limits{Level: packet.Level31})
				if err != nil {
					n = len(buf)
				}
				if n == 0 {
					break
				}
				news <- arrival{i: i, c: c, raw: buf[:n:n]}
				buf = buf[n:]
			}
			chunk := make([]byte, 4096)
			n, err := nc.Read(chunk)
			buf = append(buf, chunk[:n]...)
			if err != nil {
				news <- arrival{i: i, c: c, err: err}
				return
			}
		}
	}()
	return c, nil
}

// tick moves the model's clock to the present.
func (t *Target) tick(m *model.Model) {
	if d := time.Since(t.began) - m.Now(); d > 0 {
		m.Wait(d)
	}
}

// Send implements script.Target.
func (t *Target) Send(i int, raw []byte) (err error) {
	c, wire := t.conns[i], raw
	if c != nil {
		c.single = false
	} else {
		if c, err = t.open(i); err != nil {
			return err
		}
		c.single = single(raw)
		wire = t.login().into(raw)
	}
	c.acted = true
	t.say(i, " > "+script.PacketText(raw))
	c.nc.SetWriteDeadline(time.Now().Add(t.Patience))
	if _, err := c.nc.Write(wire); errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the broker takes nothing: %w", err)
	}
	return nil // a broker may close while it is written to: Observe sees that
}

// Cut implements script.Target. It waits until the broker has seen the end, or messages published next might
// still be sent to the connection.
func (t *Target) Cut(i int) error {
	c := t.conns[i]
	if c == nil {
		return nil
	}
	t.say(i, " cut")
	t.hangUp(i)
	return nil
}

// hangUp closes a connection from the client's side, when the broker has seen everything.
func (t *Target) hangUp(i int) {
	c := t.conns[i]
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
		timeout := time.After(t.Patience / 4)
		for open := true; open; {
			select {
			case a := <-t.news:
				if open = a.c != c || a.err == nil; a.c != c {
					t.early = append(t.early, a) // such as the Will of this one
				}
			case <-timeout:
				open = false
			}
		}
	}
	c.nc.Close()
	t.conns[i] = nil
}

// Wait implements script.Target.
func (t *Target) Wait(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-t.ctx.Done():
		return t.ctx.Err()
	}
}

// Observe implements script.Target. Each client that has sent something asks for a sign of life, which comes
// after the answers; then the others do, after what the first has set going. Nothing more is waited for when
// all that the model says must come has come.
func (t *Target) Observe(m *model.Model, _ int) (*model.Deviation, error) {
	t.tick(m)
	for _, acting := range []bool{true, false} {
		for i, c := range t.conns {
			if c == nil || c.acted != acting || !m.Accepted(i) || m.Quiet(i) {
				continue
			}
			ping := packet.AppendPingreq(nil)
			m.Send(i, ping)
			c.nc.SetWriteDeadline(time.Now().Add(t.Patience))
			c.nc.Write(ping) // its failure is seen by the reader
		}
		if dev, err := t.collect(m); dev != nil || err != nil {
			return dev, err
		}
	}
	for i, c := range t.conns {
		switch {
		case c == nil:
		case !m.Open(i): // behind DISCONNECT either may close
			t.hangUp(i)
		default:
			c.acted = false
		}
	}
	return nil, nil
}

// collect takes what arrives until nothing is missing.
func (t *Target) collect(m *model.Model) (*model.Deviation, error) {
	for len(t.early) > 0 {
		a := t.early[0]
		t.early = t.early[1:]
		if dev := t.take(m, a); dev != nil {
			return dev, nil
		}
	}
	patience := time.NewTimer(t.Patience)
	defer patience.Stop()
	for {
		missing := t.missing(m)
		if missing == nil {
			select {
			case a := <-t.news:
				if dev := t.take(m, a); dev != nil {
					return dev, nil
				}
				continue
			default:
				return nil, nil
			}
		}
		select {
		case a := <-t.news:
			if dev := t.take(m, a); dev != nil {
				return dev, nil
			}
		case <-patience.C:
			return missing, nil
		case <-t.ctx.Done():
			return nil, t.ctx.Err()
		}
	}
}

func (t *Target) missing(m *model.Model) *model.Deviation {
	for i, c := range t.conns {
		if c != nil {
			if dev := m.Missing(i); dev != nil {
				return dev
			}
		}
	}
	return nil
}

// take tells the model what has arrived, and answers it where the protocol asks for that.
func (t *Target) take(m *model.Model, a arrival) *model.Deviation {
	if t.conns[a.i] != a.c {
		return nil // of an earlier connection
	}
	t.tick(m)
	if a.err != nil {
		t.conns[a.i] = nil
		a.c.nc.Close()
		t.say(a.i, " < closed")
		if dev := m.Closed(a.i); dev != nil || a.c.lossy(a.err) {
			return dev
		}
		return m.Missing(a.i) // such as the CONNACK of a refusal; the rest of what was owed the model gives up
	}
	text := model.Describe(a.raw)
	if text != "PINGRESP" {
		t.say(a.i, " < "+text)
	}
	answer, dev := m.Observe(a.i, a.raw)
	if dev != nil {
		return dev
	}
	if answer != nil {
		m.Send(a.i, answer)
		a.c.nc.Write(answer)
	}
	return nil
}

// single reports whether bytes are one packet.
func single(raw []byte) bool {
	_, n, _, err := packet.Next(raw, &packet.Limits{Level: packet.Level31})
	return err == nil && n == len(raw)
}

// lossy reports whether the end of a connection may have destroyed an answer: a broker that closes with bytes unread
// resets the connection, and what is on its way then is lost. There is nothing unread when the client has sent the one
// packet that is answered.
func (c *conn) lossy(end error) bool { return !c.single && errors.Is(end, syscall.ECONNRESET) }

// Transcript is what has happened as text.
func (t *Target) Transcript() string { return strings.Join(t.Said, "\n") }
