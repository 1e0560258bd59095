package handshake

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sampan/internal/ceiling"
	"sampan/tlsconf/psk"
)

var updatePSKSeeds = flag.Bool("update-psk-seeds", false, "write the seeds of FuzzPSKServer anew")

const pskIdentity = "devicename|hmacsha256|a1B2c3D4e5&dev1|2524608000000"

var pskKey = []byte("0CD8A0E8794C67A37E8F309608106D5B7BF3B1E4DFB6509A99989E5E8A40E6CF")

// FuzzPSKServer feeds bytes to the server side of a pre-shared-key handshake
// and of the channel behind it. The server's randomness is fixed, so that a
// recorded client gets all the way in and changes to its bytes are tried at
// every depth.
//
// Whatever comes: no panic; the server reads no more than it may; it says no
// more than a handshake's worth; every failure is typed; and only the client
// that has the key is let in, under the name that belongs to the key.
func FuzzPSKServer(f *testing.F) {
	f.Fuzz(func(t *testing.T, input []byte) {
		defer ceiling.Bytes(ceiling.Lots + 32*len(input)).Hold(t)()
		const maxHandshake = 4096
		conn := &bytesConn{in: input}
		config := pskServerConfig()
		config.MaxHandshakeBytes = maxHandshake
		server := psk.Server(conn, config)
		err := server.Handshake()
		state := server.ConnectionState()
		if (err == nil) != state.HandshakeComplete {
			t.Fatalf("%v with %+v", err, state)
		}
		if err == nil && state.Identity != pskIdentity {
			t.Fatalf("%q was let in", state.Identity)
		}
		if err != nil {
			requireTyped(t, err)
			// One buffer beyond what the records took.
			if conn.read > maxHandshake+2048 {
				t.Fatalf("read %d bytes of a handshake bounded at %d", conn.read, maxHandshake)
			}
		}
		if conn.written > 1024 {
			t.Fatalf("answered %d bytes", conn.written)
		}
		if err != nil {
			return
		}
		data, err := io.ReadAll(server)
		if len(data) > len(input) {
			t.Fatalf("%d bytes became %d", len(input), len(data))
		}
		if err != nil {
			requireTyped(t, err)
		}
	})
}

// requireTyped accepts the package's own error and the end of the input.
func requireTyped(t *testing.T, err error) {
	t.Helper()
	var e *psk.Error
	if !errors.As(err, &e) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("untyped error %T: %v", err, err)
	}
}

func pskServerConfig() *psk.Config {
	return &psk.Config{
		Rand: new(counter),
		Key: func(_ context.Context, identity []byte) ([]byte, bool) {
			return pskKey, string(identity) == pskIdentity
		},
	}
}

// counter is a source of randomness that is not random.
type counter byte

func (c *counter) Read(b []byte) (int, error) {
	for i := range b {
		*c++
		b[i] = byte(*c)
	}
	return len(b), nil
}

// TestPSKSeeds keeps the recorded clients in step with the server: each must
// still be let in. With -update-psk-seeds it records them anew.
func TestPSKSeeds(t *testing.T) {
	dir := filepath.Join("testdata", "fuzz", "FuzzPSKServer")
	for name, input := range pskSeeds(t) {
		file := filepath.Join(dir, name)
		seed := "go test fuzz v1\n[]byte(" + strconv.Quote(string(input)) + ")\n"
		if *updatePSKSeeds {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(seed), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		kept, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("%v; run with -update-psk-seeds", err)
			continue
		}
		if string(kept) != seed {
			t.Errorf("%s is not what a client sends now; run with -update-psk-seeds", file)
		}
		server := psk.Server(&bytesConn{in: input}, pskServerConfig())
		err = server.Handshake()
		if valid := strings.HasPrefix(name, "valid-"); (err == nil) != valid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// pskSeeds records what our client sends for every suite and form, and adds
// what is cut, spoilt or no TLS at all.
func pskSeeds(t *testing.T) map[string][]byte {
	seeds := map[string][]byte{
		"http":         []byte("GET /mqtt HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"mqtt":         {0x10, 0x0c, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 0},
		"empty-record": {22, 3, 1, 0, 0},
		"alert":        {21, 3, 1, 0, 2, 2, 40},
		"long-record":  {22, 3, 1, 0xff, 0xff},
		"long-hello":   {22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff},
	}
	for _, id := range psk.CipherSuites() {
		for _, form := range []struct {
			name   string
			change func(*psk.Config)
		}{
			{"", func(*psk.Config) {}},
			{"-old", func(c *psk.Config) { c.NoEncryptThenMAC, c.NoExtendedMasterSecret = true, true }},
		} {
			config := &psk.Config{
				Identity: []byte(pskIdentity), PSK: pskKey, MaxFragment: 1024,
				CipherSuites: []uint16{id}, Rand: new(counter),
			}
			form.change(config)
			name := fmt.Sprintf("%04x%s", id, form.name)
			said := recordPSKClient(t, config)
			seeds["valid-"+name] = said
			seeds["cut-"+name] = said[:len(said)*2/5]
		}
	}
	wrong := recordPSKClient(t, &psk.Config{Identity: []byte("someone"), PSK: []byte("something"), Rand: new(counter)})
	seeds["unknown-identity"] = wrong
	return seeds
}

// recordPSKClient lets a client talk to our server and gives all it said: the
// handshake, two writes and the farewell.
func recordPSKClient(t *testing.T, config *psk.Config) []byte {
	ours, theirs := net.Pipe()
	recorder := &recordingConn{Conn: ours}
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(io.Discard, psk.Server(theirs, pskServerConfig()))
		theirs.Close()
	}()
	client := psk.Client(recorder, config)
	client.Write([]byte("\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"))
	client.Write([]byte("\xc0\x00"))
	client.Close()
	<-done
	return recorder.said.Bytes()
}

type recordingConn struct {
	net.Conn
	said bytes.Buffer
}

func (c *recordingConn) Write(b []byte) (int, error) {
	c.said.Write(b)
	return c.Conn.Write(b)
}

// bytesConn is a peer that says what it has to say and ends; how its bytes are
// cut into reads depends on them.
type bytesConn struct {
	in            []byte
	read, written int
}

func (c *bytesConn) Read(b []byte) (int, error) {
	if len(c.in) == 0 {
		return 0, io.EOF
	}
	n := min(len(b), len(c.in), 1+int(c.in[0])*4)
	copy(b, c.in[:n])
	c.in = c.in[n:]
	c.read += n
	return n, nil
}

func (c *bytesConn) Write(b []byte) (int, error) {
	c.written += len(b)
	return len(b), nil
}

func (c *bytesConn) Close() error                     { return nil }
func (c *bytesConn) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (c *bytesConn) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (c *bytesConn) SetDeadline(time.Time) error      { return nil }
func (c *bytesConn) SetReadDeadline(time.Time) error  { return nil }
func (c *bytesConn) SetWriteDeadline(time.Time) error { return nil }
