package chip_test

import (
	"context"
	"fmt"
	"net"
	"os"

	"sampan/tlsconf/chip"
)

// A terminator in a process of its own, in front of a broker that was started with
// --listen chip:///run/sampan/chip.sock. A vendor puts its own Terminator in the place of the reference.
func ExampleRelay() {
	keys := map[string][]byte{"dev1&a1B2c3D4e5": []byte("what the chip's maker knows")}
	relay := chip.Relay{
		Terminator: &chip.Reference{Chip: func(_ context.Context, identity string) (chip.Chip, bool) {
			key, ok := keys[identity]
			return chip.NewSoftware(key), ok
		}},
		Dial: func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", "/run/sampan/chip.sock")
		},
		Report: func(remote net.Addr, why error) { fmt.Fprintln(os.Stderr, remote, why) },
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // at once, for the example
	fmt.Println(relay.Serve(ctx, l))
	// Output: context canceled
}

// What a terminator in another language writes in front of a device's bytes.
func ExamplePreface() {
	b, err := chip.Preface{Identity: "dev1&a1B2c3D4e5", Remote: "192.0.2.7:40960"}.AppendTo(nil)
	fmt.Printf("%q %v\n", b, err)
	// Output: "CHIP\x01\x1fdev1&a1B2c3D4e5 192.0.2.7:40960" <nil>
}
