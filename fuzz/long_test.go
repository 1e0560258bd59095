package fuzz

import (
	"fmt"
	"strings"
	"testing"

	"sampan/fuzz/inprocess"
	"sampan/fuzz/script"
)

// TestSessionLong carries out scripts that are longer than those of the fuzzer: what begins with the 9th filter
// of a session, the 51st message in flight, the 65th that waits, the 65th subscriber of a filter or the 65,536th
// identifier, 64 steps of four clients do not come to.
func TestSessionLong(t *testing.T) {
	for name, write := range map[string]func(line func(string, ...any)){
		"identifiers go round": func(line func(string, ...any)) {
			line("A connect alice keepalive 0")
			line("A subscribe 1 a q1")
			line("B connect bob clean keepalive 0")
			for i := range 1<<16 + 20 {
				line("B publish a q1 id 1 %q", fmt.Sprint("m", i))
				if i%32768 != 10 {
					line("A ack %d", min(1, i/11)) // the 11th stays in flight
				}
			}
			line("A cut")
			line("A connect alice keepalive 0")
			line("B publish a q1 id 1 \"last\"")
		},
		"many messages wait": func(line func(string, ...any)) {
			line("profile platform")
			line("A connect alice keepalive 60 user u pass secret")
			line("A subscribe 1 a q1")
			line("A cut")
			line("B connect bob clean keepalive 60 user u pass secret")
			for i := range 400 {
				line("B publish a q1 id 1 %q", fmt.Sprint("m", i))
				if i == 170 {
					line("A connect alice keepalive 60 user u pass secret")
				}
				if i > 170 && i%3 == 0 {
					line("A ack %d", i%7*7)
				}
				if i == 300 {
					line("restart")
					line("A connect alice keepalive 60 user u pass secret")
					line("B connect bob clean keepalive 60 user u pass secret")
				}
			}
			for range 400 {
				line("A ack 0")
			}
		},
		"many filters": func(line func(string, ...any)) {
			line("A connect alice keepalive 0")
			line("B connect bob clean keepalive 0")
			for round := range 3 {
				for i := range 40 {
					line("A subscribe 1 f/%d q%d", i, (i+round)%2)
				}
				for i := range 40 {
					if i%3 == round {
						line("A unsubscribe 1 f/%d", i*7%40)
					}
				}
				for i := range 40 {
					line("A subscribe 1 f/%d q%d", i*3%40, i%2)
					line("B publish f/%d q1 id 1 \"m\"", i)
					line("A ack 0")
				}
				for i := range 36 {
					line("A unsubscribe 1 f/%d", i)
				}
				for i := range 40 {
					line("B publish f/%d q1 id 1 \"n\"", i)
					line("A ack 0")
				}
			}
		},
		"many subscribers": func(line func(string, ...any)) {
			const clients = 200
			for i := range clients {
				line("A connect c%d keepalive 0", i)
				line("A subscribe 1 a/b q%d", i/3%2)
				if i%2 == 0 {
					line("A subscribe 2 a/# q1")
				}
				if i%5 == 0 {
					line("A subscribe 2 +/b q1")
				}
				line("A cut")
			}
			line("B connect bob clean keepalive 0")
			line("B publish a/b q1 id 1 \"first\"")
			for i := range clients {
				line("A connect c%d keepalive 0", i)
				line("A ack 0")
				if i%4 > 0 {
					line("A unsubscribe 3 a/b")
				}
				if i%7 > 0 {
					line("A unsubscribe 3 a/#")
				}
				line("A cut")
			}
			line("B publish a/b q1 id 1 \"second\"")
			for i := range clients {
				line("A connect c%d keepalive 0", i)
				line("A disconnect")
			}
		},
		"large messages": func(line func(string, ...any)) {
			line("profile platform")
			line("A connect alice keepalive 60 user u pass secret")
			line("A subscribe 1 a q1")
			line("B connect bob clean keepalive 60 user u pass secret")
			for i, size := range []int{1 << 7, 1 << 14, 1<<18 - 1, 1 << 18} {
				line("B publish a q%d id 1 %q", 1, strings.Repeat("x", size))
				line("B publish a q0 %q", strings.Repeat("y", size))
				line("A cut")
				line("B publish a q1 id 2 %q", strings.Repeat("z", size-i))
				line("A connect alice keepalive 60 user u pass secret")
			}
			line("B publish a q1 id 1 %q", strings.Repeat("x", 1<<18+1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			write(func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) })
			s, err := script.Parse(b.String())
			if err != nil {
				t.Fatal(err)
			}
			if r := inprocess.Run(t, s); r.Err != nil || r.Deviation != nil {
				t.Fatalf("step %.200s: %.1000v %.2000v", s.At(r.Step), r.Err, r.Deviation)
			}
		})
	}
}
