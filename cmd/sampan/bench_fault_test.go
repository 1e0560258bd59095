package main

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"sampan/cmd/internal/cli"
	"sampan/packet"
)

// wrong is a broker that does one thing wrong.
type wrong struct {
	greeting []byte                       // instead of CONNACK
	close    bool                         // after CONNECT
	silent   bool                         // from CONNECT on
	deliver  func(n int, b []byte) []byte // what becomes of the nth PUBLISH
	mu       sync.Mutex
	subs     []net.Conn // guarded by mu, as n
	n        int
}

// listen serves until the test ends.
func (w *wrong) listen(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		ln.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { // ends with the client, which ends with its run
				defer conn.Close()
				w.serve(conn)
			})
		}
	})
	return ln.Addr().String()
}

func (w *wrong) serve(conn net.Conn) {
	var have []byte
	buf := make([]byte, 4<<10)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		for have = append(have, buf[:n]...); ; {
			f, used, _, err := packet.Next(have, nil)
			if err != nil {
				return
			}
			if used == 0 {
				break
			}
			if !w.answer(conn, f) {
				return
			}
			have = have[used:]
		}
	}
}

func (w *wrong) answer(conn net.Conn, f packet.Frame) bool {
	switch f.Type() {
	case packet.TypeConnect:
		if w.close {
			return false
		}
		greeting := w.greeting
		if greeting == nil && !w.silent {
			greeting = []byte{0x20, 2, 0, 0}
		}
		conn.Write(greeting)
	case packet.TypeSubscribe:
		w.mu.Lock()
		w.subs = append(w.subs, conn)
		w.mu.Unlock()
		conn.Write([]byte{0x90, 3, f.Body()[0], f.Body()[1], 1})
	case packet.TypePingreq:
		conn.Write([]byte{0xd0, 0})
	case packet.TypePublish:
		var p packet.Publish
		if p.Decode(f, nil) != nil {
			return false
		}
		conn.Write(packet.AppendPuback(nil, p.ID))
		w.mu.Lock()
		defer w.mu.Unlock()
		w.n++
		out := f.Raw
		if w.deliver != nil {
			out = w.deliver(w.n, out)
		}
		for _, sub := range w.subs {
			sub.Write(out)
		}
	}
	return true
}

// What a broker does wrong is reported as what it is, soon, and the exit status is not 0.
func TestBenchNamesWhatABrokerDoesWrong(t *testing.T) {
	third := func(instead func([]byte) []byte) func(int, []byte) []byte {
		return func(n int, b []byte) []byte {
			if n == 3 {
				return instead(b)
			}
			return b
		}
	}
	for name, c := range map[string]struct {
		wrong *wrong
		says  string
	}{
		"refuses": {&wrong{greeting: []byte{0x20, 2, 0, 5}}, "FAULT refused"},
		"garbage": {&wrong{greeting: []byte("HTTP/1.1 400 Bad Request\r\n\r\n")}, "FAULT garbage"},
		"noise":   {&wrong{greeting: []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, "FAULT garbage"},
		"babbles": {&wrong{greeting: []byte{0xb0, 2, 0, 1}}, "FAULT violation"}, // UNSUBACK
		"closes":  {&wrong{close: true}, "FAULT closed"},
		"stalls":  {&wrong{silent: true}, "FAULT stalled"},
		"loses":   {&wrong{deliver: third(func([]byte) []byte { return nil })}, "FAULT lost"},
		"doubles": {&wrong{deliver: third(func(b []byte) []byte { return append(b[:len(b):len(b)], b...) })}, "FAULT doubled"},
		"changes": {&wrong{deliver: third(func(b []byte) []byte {
			b = bytes.Clone(b)
			b[len(b)-1] ^= 1
			return b
		})}, "FAULT corrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			var out, told bytes.Buffer
			status := cli.Run(ctx, root(), []string{
				"bench", "fanout", "--addr", c.wrong.listen(t), "--subscribers", "1", "--qos", "1", "--window", "4", "--payload", "32",
				"--warmup", "20ms", "--duration", "100ms", "--cooldown", "0s", "--connect-timeout", "4s", "--stall-timeout", "3s",
			}, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &told})
			if ctx.Err() != nil {
				t.Error("it did not end by itself")
			}
			if status != cli.Failure || !strings.Contains(out.String(), c.says) {
				t.Errorf("status %d, want %q\n%s\n%s", status, c.says, &out, &told)
			}
		})
	}
}
