package clients

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"sampan/cmd/internal/client"
	"sampan/tlsconf/chip"
)

// A device with a chip, the reference terminator in the vendor's place, and the broker behind it: the device
// is who its chip proves, with securemode=8, and nobody else.
func TestADeviceWithAChip(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes; the binary in them has no race detector")
	}
	const product = "chipProduct"
	key := []byte("a key that the maker of the chip knows too")
	socket := filepath.Join(t.TempDir(), "chip.sock")
	s := start(t, "--listen", "chip://"+socket)
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket for terminators: %v, %v", info.Mode(), err)
	}
	sampan(t, "product", "create", "--data", s.data, "--key", product, "--auth", "id2")
	sampan(t, "device", "create", product, "safe1", "safe2", "--data", s.data)

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	relay := &chip.Relay{
		Terminator: &chip.Reference{Chip: func(_ context.Context, identity string) (chip.Chip, bool) {
			return chip.NewSoftware(key), identity == "safe1&"+product
		}},
		Dial: func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
	}
	serving, stop := context.WithCancel(ctx)
	served := make(chan error)
	go func() { served <- relay.Serve(serving, l) }()
	defer func() { stop(); <-served }()

	connect := func(c chip.Chip, username string) (*client.Client, net.Conn, error) {
		var d net.Dialer
		below, err := d.DialContext(ctx, "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := chip.Device(ctx, below, "safe1&"+product, c)
		if err != nil {
			below.Close()
			return nil, below, err
		}
		cl, err := client.Connect(ctx, client.Options{
			Conn: conn, ClientID: "x|securemode=8,signmethod=hmacsha1,timestamp=2524608000000,authtype=id2|",
			Username: username, Clean: true, KeepAlive: time.Minute,
		})
		return cl, below, err
	}
	cl, conn, err := connect(chip.NewSoftware(key), "safe1&"+product)
	if err != nil {
		t.Fatal(err)
	}
	if codes, err := cl.Subscribe(ctx, client.Subscription{Filter: "/" + product + "/safe1/user/get"}, client.Subscription{Filter: "/" + product + "/safe2/user/get"}); err != nil || codes[0] != 0 || codes[1] != 0x80 {
		t.Errorf("%v, %v", codes, err)
	}
	// The log has the device's own address, not the terminator's.
	s.log.wait(t, "client="+product+"/safe1 clientID=\"x|securemode=8,signmethod=hmacsha1,timestamp=2524608000000,authtype=id2|\" addr="+conn.LocalAddr().String())
	if err := cl.Disconnect(); err != nil {
		t.Error(err)
	}
	if _, _, err := connect(chip.NewSoftware(key), "safe2&"+product); err == nil {
		t.Error("a chip let another device in")
	}
	s.log.wait(t, "rule=channel-identity")
	if _, _, err := connect(chip.NewSoftware([]byte("another")), "safe1&"+product); err == nil {
		t.Error("another chip was let in")
	}
	// What is no preface, and the device's secret on another channel, are refused with a reason.
	stranger, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	stranger.Write([]byte("\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"))
	s.log.wait(t, "not a preface")
	stranger.Close()
	var l2 login
	decode(t, sampan(t, "device", "credentials", product, "safe1", "--data", s.data, "--json"), &l2)
	plain, err := net.Dial("tcp", net.JoinHostPort(s.host, strconv.Itoa(s.port)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Connect(ctx, client.Options{Conn: plain, ClientID: l2.ClientID, Username: l2.Username, Password: []byte(l2.Password), Clean: true, KeepAlive: time.Minute}); err == nil {
		t.Error("a device with a chip was let in by its secret")
	}
	s.log.wait(t, "rule=wrong-proof")
}
