package psk_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"sampan/tlsconf/psk"
)

// A server that knows the platform's devices, and a device.
func Example() {
	secrets := map[string]string{"a1B2c3D4e5/dev1": "ds-secret-1"}
	config := &psk.Config{Key: psk.PlatformKeys(func(_ context.Context, productKey, deviceName string) (string, bool) {
		secret, ok := secrets[productKey+"/"+deviceName]
		return secret, ok
	})}

	serverSide, deviceSide := net.Pipe()
	go func() {
		server := psk.Server(serverSide, config)
		defer server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := server.HandshakeContext(ctx); err != nil {
			fmt.Println("refused:", errors.Is(err, psk.ErrUnknownIdentity), err)
			return
		}
		fmt.Fprintln(server, "proven:", server.ConnectionState().Identity)
	}()

	id := psk.PlatformIdentity{ProductKey: "a1B2c3D4e5", DeviceName: "dev1", Timestamp: "2524608000000"}
	device := psk.Client(deviceSide, &psk.Config{
		Identity:     []byte(id.String()),
		PSK:          id.Key("ds-secret-1"),
		CipherSuites: []uint16{psk.TLS_PSK_WITH_AES_128_CBC_SHA}, // as the C SDK
	})
	line, err := bufio.NewReader(device).ReadString('\n')
	fmt.Print(line)
	fmt.Println(err, psk.CipherSuiteName(device.ConnectionState().CipherSuite))
	// Output:
	// proven: devicename|hmacsha256|a1B2c3D4e5&dev1|2524608000000
	// <nil> TLS_PSK_WITH_AES_128_CBC_SHA
}
