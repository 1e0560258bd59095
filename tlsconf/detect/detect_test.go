package detect

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sampan/internal/ceiling"
	"sampan/tlsconf/internal/interop"
	"sampan/tlsconf/psk"
)

// scripted is a client that says what it has to say in pieces.
type scripted struct {
	net.Conn
	pieces [][]byte
	err    error // after the last piece
	read   int
}

func (s *scripted) Read(b []byte) (int, error) {
	if len(s.pieces) == 0 {
		return 0, s.err
	}
	n := copy(b, s.pieces[0])
	if s.pieces[0] = s.pieces[0][n:]; len(s.pieces[0]) == 0 {
		s.pieces = s.pieces[1:]
	}
	s.read += n
	return n, nil
}

// inPieces cuts b into pieces of n bytes.
func inPieces(b []byte, n int) *scripted {
	s := &scripted{err: io.EOF}
	for len(b) > 0 {
		m := min(n, len(b))
		s.pieces = append(s.pieces, b[:m])
		b = b[m:]
	}
	return s
}

// helloOf builds a ClientHello with the suites, in records of at most size bytes.
func helloOf(size int, suites ...uint16) []byte {
	body := append([]byte{3, 3}, make([]byte, 32)...)
	body = append(body, 4, 1, 2, 3, 4) // session id
	body = append(body, byte(len(suites)*2>>8), byte(len(suites)*2))
	for _, s := range suites {
		body = append(body, byte(s>>8), byte(s))
	}
	body = append(body, 1, 0)
	message := append([]byte{typeClientHello, 0, byte(len(body) >> 8), byte(len(body))}, body...)
	var out []byte
	for len(message) > 0 {
		n := min(size, len(message))
		out = append(append(out, recordHandshake, 3, 1, byte(n>>8), byte(n)), message[:n]...)
		message = message[n:]
	}
	return out
}

// said is what a client of a real library sends first.
func said(t *testing.T, client func(net.Conn)) []byte {
	t.Helper()
	a, b := net.Pipe()
	go func() {
		client(a)
		a.Close()
	}()
	buf := make([]byte, 4096)
	n, err := b.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	return buf[:n]
}

func samples(t *testing.T) map[string]struct {
	bytes []byte
	want  Kind
} {
	type sample = struct {
		bytes []byte
		want  Kind
	}
	return map[string]sample{
		"MQTT 3.1.1":                  {[]byte("\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04test"), MQTT},
		"MQTT 3.1":                    {[]byte("\x10\x12\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x04test"), MQTT},
		"GET":                         {[]byte("GET /mqtt HTTP/1.1\r\nHost: x\r\n\r\n"), HTTP},
		"POST":                        {[]byte("POST / HTTP/1.1\r\n\r\n"), HTTP},
		"OPTIONS":                     {[]byte("OPTIONS * HTTP/1.1\r\n\r\n"), HTTP},
		"HTTP/2":                      {[]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), HTTP},
		"crypto/tls":                  {said(t, func(c net.Conn) { tls.Client(c, &tls.Config{ServerName: "x"}).Handshake() }), TLS},
		"our psk":                     {said(t, func(c net.Conn) { psk.Client(c, &psk.Config{Identity: []byte("x"), PSK: []byte("y")}).Handshake() }), PSK},
		"one PSK suite":               {helloOf(4096, 0x008c), PSK},
		"PSK and signals and TLS 1.3": {helloOf(4096, 0x1301, 0x0a0a, 0xfafa, 0x00a8, 0x00ff, 0x5600), PSK},
		"TLS 1.3 only":                {helloOf(4096, 0x1301, 0x1302, 0x1303), TLS},
		"signals only":                {helloOf(4096, 0x00ff), TLS},
		"no suites":                   {helloOf(4096), TLS},
		"the platform SDK with certificates": {helloOf(4096, 0x003d, 0x0035, 0x003c, 0x002f,
			0x00b7, 0x0095, 0x00b6, 0x0094, 0x00af, 0x008d, 0x00ae, 0x008c), TLS},
		"PSK first, certificate last": {helloOf(4096, 0x008c, 0x00a8, 0xc02f), TLS},
		"PSK in small records":        {helloOf(7, 0x008c, 0x00a8), PSK},
		"PSK in records of one byte":  {helloOf(1, 0x008c), PSK},
		"470 suites":                  {helloOf(4096, bytesOf(470, 0x008c)...), PSK},

		"DISCONNECT first":        {[]byte{0xe0, 0}, Unknown},
		"CONNECT with flags":      {[]byte{0x11, 0}, Unknown},
		"SSL 2":                   {[]byte{0x80, 0x2e, 1, 0, 2}, Unknown},
		"PROXY 1":                 {[]byte("PROXY TCP4 1.2.3.4 "), Unknown},
		"PROXY 2":                 {[]byte("\r\n\r\n\x00\r\nQUIT\n"), Unknown},
		"SSH":                     {[]byte("SSH-2.0-x\r\n"), Unknown},
		"lower case":              {[]byte("get / HTTP/1.1\r\n"), Unknown},
		"TLS alert":               {[]byte{21, 3, 1, 0, 2, 2, 40}, Unknown},
		"record of version 2":     {[]byte{22, 2, 0, 0, 1, 1}, Unknown},
		"ServerHello":             {[]byte{22, 3, 1, 0, 40, 2, 0, 0, 36}, Unknown},
		"empty record":            {[]byte{22, 3, 1, 0, 0}, Unknown},
		"session id of 33 bytes":  {append(append([]byte{22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3}, make([]byte, 32)...), append([]byte{33}, make([]byte, 100)...)...), Unknown},
		"alert amid the hello":    {append(helloOf(7, 0x008c)[:24], 21, 3, 1, 0, 2, 2, 40), Unknown},
		"records of two versions": {append(helloOf(7, 0x008c)[:24], 22, 4, 1, 0, 2), Unknown},
	}
}

func bytesOf(n int, suite uint16) []uint16 {
	all := make([]uint16, n)
	for i := range all {
		all[i] = suite
	}
	return all
}

// However the bytes are cut, the answer is the same and no byte is lost.
func TestEverySampleInEveryCut(t *testing.T) {
	for name, s := range samples(t) {
		for _, size := range []int{1, 2, 3, 5, 17, 255, 256, 257, 4096} {
			conn := inPieces(s.bytes, size)
			c, kind, err := Client(conn)
			if err != nil || kind != s.want {
				t.Errorf("%s in pieces of %d: %v, %v; want %v", name, size, kind, err, s.want)
				continue
			}
			if conn.read > MaxPeek {
				t.Errorf("%s: %d bytes read", name, conn.read)
			}
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, s.bytes) {
				t.Errorf("%s in pieces of %d: replayed %x, %v", name, size, got, err)
			}
			if c.Peeked() != nil {
				t.Errorf("%s: the buffer is kept after its bytes were read", name)
			}
		}
	}
}

// The answer never changes as more bytes come, once it was given.
func TestAnswerStands(t *testing.T) {
	for name, s := range samples(t) {
		var first Kind
		given := false
		for n := range len(s.bytes) + 1 {
			kind, told := Bytes(s.bytes[:n])
			if given && (!told || kind != first) {
				t.Fatalf("%s: %v after %v at byte %d", name, kind, first, n)
			}
			if told && !given {
				first, given = kind, true
			}
		}
		if !given || first != s.want {
			t.Errorf("%s: %v, %v", name, first, given)
		}
	}
}

func TestCutConnections(t *testing.T) {
	for name, s := range samples(t) {
		for n := range s.bytes {
			c, kind, err := Client(inPieces(s.bytes[:n], 4096))
			_, told := Bytes(s.bytes[:n])
			switch {
			case told:
				if err != nil || kind != s.want {
					t.Errorf("%s cut at %d: %v, %v", name, n, kind, err)
				}
			case n == 0:
				if err != io.EOF {
					t.Errorf("%s: nothing sent: %v", name, err)
				}
			case err != io.ErrUnexpectedEOF || kind != Unknown || !bytes.Equal(c.Peeked(), s.bytes[:n]):
				t.Errorf("%s cut at %d: %v, %v, %x", name, n, kind, err, c.Peeked())
			}
		}
	}
}

func TestWhatDoesNotTellIsBounded(t *testing.T) {
	for name, b := range map[string][]byte{
		"endless suites":      helloOf(60000, bytesOf(5000, 0x008c)...),
		"records of one byte": helloOf(1, bytesOf(200, 0x008c)...),
	} {
		conn := inPieces(b, 100)
		c, kind, err := Client(conn)
		if !errors.Is(err, ErrTooLong) || kind != Unknown || conn.read != MaxPeek || len(c.Peeked()) != MaxPeek {
			t.Errorf("%s: %v, %v after %d bytes", name, kind, err, conn.read)
		}
	}
}

// A client that sends a byte now and then is ended by the caller's deadline.
func TestSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		const patience = 4500 * time.Millisecond // ends between two bytes
		server.SetReadDeadline(time.Now().Add(patience))
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			for _, b := range helloOf(4096, bytesOf(100, 0x008c)...) {
				if _, err := client.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second) // the bubble's clock
			}
		}()
		start := time.Now()
		c, _, err := Client(server)
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != patience {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if n := len(c.Peeked()); n != 5 {
			t.Errorf("%d bytes kept of 5 sent", n)
		}
		server.Close()
		<-stopped
	})
}

// Deadline or not, a connection that was told goes on as before.
func TestConnIsTheOneUnderneath(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	go client.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	c, kind, err := Client(server)
	if err != nil || kind != HTTP {
		t.Fatal(kind, err)
	}
	if c.NetConn() != server || string(c.Peeked()) != "GET / HTTP/1.1\r\n\r\n" {
		t.Errorf("%q", c.Peeked())
	}
	small := make([]byte, 3)
	c.Read(small)
	if string(small) != "GET" || !strings.HasPrefix(string(c.Peeked()), " / HTTP") {
		t.Errorf("%q, %q", small, c.Peeked())
	}
	go c.Write([]byte("answer"))
	got := make([]byte, 6)
	if _, err := io.ReadFull(client, got); err != nil || string(got) != "answer" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestKindNames(t *testing.T) {
	seen := map[string]bool{}
	for k := Unknown; k <= PSK; k++ {
		seen[k.String()] = true
	}
	if len(seen) != 5 {
		t.Error(seen)
	}
}

// Real clients, each in the way a user would start it.
func TestForeignClients(t *testing.T) {
	openssl := interop.Tool(t, "openssl", "openssl")
	gnutls := interop.Tool(t, "gnutls-cli", "gnutls-bin")
	for _, c := range []struct {
		name    string
		command func(port string) []string
		want    Kind
	}{
		{"openssl", func(p string) []string { return []string{openssl, "s_client", "-connect", "127.0.0.1:" + p} }, TLS},
		{"openssl TLS 1.2", func(p string) []string { return []string{openssl, "s_client", "-tls1_2", "-connect", "127.0.0.1:" + p} }, TLS},
		{"openssl PSK beside the rest", func(p string) []string {
			return []string{openssl, "s_client", "-psk", "00", "-connect", "127.0.0.1:" + p}
		}, TLS},
		{"openssl PSK only", func(p string) []string {
			return []string{openssl, "s_client", "-psk", "00", "-cipher", "PSK", "-tls1_2", "-connect", "127.0.0.1:" + p}
		}, PSK},
		{"openssl PSK or TLS 1.3", func(p string) []string {
			return []string{openssl, "s_client", "-psk", "00", "-cipher", "PSK", "-connect", "127.0.0.1:" + p}
		}, PSK},
		{"gnutls", func(p string) []string { return []string{gnutls, "--port", p, "127.0.0.1"} }, TLS},
		{"gnutls PSK", func(p string) []string {
			return []string{gnutls, "--port", p, "--pskusername", "x", "--pskkey", "00", "--priority", "NORMAL:-KX-ALL:+ECDHE-PSK:+PSK", "127.0.0.1"}
		}, PSK},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			args := c.command(strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, args[0], args[1:]...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, kind, err := Client(conn); err != nil || kind != c.want {
				t.Errorf("%v, %v; want %v", kind, err, c.want)
			}
		})
	}
}

// FuzzBytes: any bytes, however they come, give one answer, which further
// bytes do not change.
func FuzzBytes(f *testing.F) {
	f.Add([]byte("\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04test"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte("PATCH "))
	f.Add(helloOf(4096, 0x1301, 0x008c))
	f.Add(helloOf(5, 0x008c, 0xc02f))
	f.Fuzz(func(t *testing.T, b []byte) {
		defer ceiling.Bytes(ceiling.Lots + 32*len(b)).Hold(t)()
		at, first := -1, Unknown
		for n := range min(len(b), MaxPeek) + 1 {
			kind, told := Bytes(b[:n])
			if at >= 0 && (!told || kind != first) {
				t.Fatalf("%v at %d, %v at %d of %x", first, at, kind, n, b)
			}
			if told && at < 0 {
				at, first = n, kind
			}
		}
		c, kind, err := Client(inPieces(b, 1+len(b)%300))
		if (err == nil) != (at >= 0) || kind != first {
			t.Fatalf("%v, %v; want %v at %d of %x", kind, err, first, at, b)
		}
		if got, _ := io.ReadAll(c); !bytes.Equal(got, b) {
			t.Fatalf("replayed %x of %x", got, b)
		}
	})
}

func BenchmarkClient(b *testing.B) {
	for name, bytes := range map[string][]byte{
		"MQTT": []byte("\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04test"),
		"PSK":  helloOf(4096, 0x008c),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			pieces := [][]byte{bytes}
			for b.Loop() {
				s := &scripted{pieces: pieces, err: io.EOF}
				if _, kind, err := Client(s); err != nil || kind == Unknown {
					b.Fatal(kind, err)
				}
				pieces[0] = bytes
			}
		})
	}
}
