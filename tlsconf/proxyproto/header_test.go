package proxyproto_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"sampan/internal/ceiling"
	"sampan/tlsconf/proxyproto"
)

// vectors reads testdata/headers.txt: a name, the bytes as a Go string, and what is to become of them.
func vectors(t *testing.T) (found [][3]string) {
	t.Helper()
	text, err := os.ReadFile("testdata/headers.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, " | ")
		if len(fields) != 3 {
			t.Fatalf("testdata/headers.txt: %q has %d fields", line, len(fields))
		}
		found = append(found, [3]string(fields))
	}
	return found
}

// bytesOf unites the ways in which a vector is written: text in quotes, hexadecimal without.
func bytesOf(t *testing.T, text string) []byte {
	t.Helper()
	var all []byte
	for part := range strings.SplitSeq(text, " + ") {
		if inner, quoted := strings.CutPrefix(part, `"`); quoted {
			inner = strings.TrimSuffix(inner, `"`)
			all = append(all, strings.NewReplacer(`\r`, "\r", `\n`, "\n").Replace(inner)...)
			continue
		}
		b, err := hex.DecodeString(strings.ReplaceAll(part, " ", ""))
		if err != nil {
			t.Fatalf("%q: %v", part, err)
		}
		all = append(all, b...)
	}
	return all
}

func describe(h proxyproto.Header, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case !h.Told():
		return fmt.Sprintf("v%d local", h.Version)
	}
	return fmt.Sprintf("v%d %v to %v", h.Version, h.Source, h.Destination)
}

// Every vector is read as the table says, in one piece and byte by byte, and what follows a header stays.
func TestHeaders(t *testing.T) {
	const after = "\x10\x0c"
	for _, v := range vectors(t) {
		name, sent, want := v[0], bytesOf(t, v[1]), v[2]
		t.Run(name, func(t *testing.T) {
			for kind, wrap := range map[string]func(io.Reader) io.Reader{
				"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader, "late end": iotest.DataErrReader,
			} {
				r := bytes.NewReader(append(bytes.Clone(sent), after...))
				h, err := proxyproto.Read(wrap(r))
				if got := describe(h, err); got != want {
					t.Errorf("%s: %q is %q, want %q", kind, sent, got, want)
				}
				if left, _ := io.ReadAll(r); err == nil && kind != "late end" && string(left) != after {
					t.Errorf("%s: %q is left after the header, want %q", kind, left, after)
				}
			}
		})
	}
}

// A header that does not go on is io.EOF before its first byte and io.ErrUnexpectedEOF after it, and an error
// of the connection is passed on.
func TestHeaderCutShort(t *testing.T) {
	for _, v := range vectors(t) {
		if !strings.HasPrefix(v[2], "v") {
			continue
		}
		whole := bytesOf(t, v[1])
		for n := range whole {
			want := io.ErrUnexpectedEOF
			if n == 0 {
				want = io.EOF
			}
			if _, err := proxyproto.Read(bytes.NewReader(whole[:n])); err != want {
				t.Errorf("%d bytes of %q: %v, want %v", n, whole, err, want)
			}
			broken := errors.New("broken")
			if _, err := proxyproto.Read(io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(broken))); err != broken {
				t.Errorf("%d bytes of %q, then an error: %v", n, whole, err)
			}
		}
	}
}

// What cannot be a header is refused at the first byte that says so, without waiting for more.
func TestNoHeaderIsRefusedAtOnce(t *testing.T) {
	for _, sent := range []string{
		"\x10", "\x16\x03\x01", "GET / ", "PROXX", "PROXY  ", "PROXY U ", "PROXY TCP5", "PROXY tcp4", "\r\n\r\n\x01",
		"\r\n\r\n\x00\r\nQUIT\n\x31", "\r\n\r\n\x00\r\nQUIT\n\x22", "\r\n\r\n\x00\r\nQUIT\n\x21\x12",
	} {
		r, w := io.Pipe()
		go w.Write([]byte(sent)) // ends when it was read, or with the pipe
		_, err := proxyproto.Read(r)
		if e := (*proxyproto.Error)(nil); !errors.As(err, &e) {
			t.Errorf("%q: %v, want an *Error", sent, err)
		}
		r.Close()
	}
}

func TestBegins(t *testing.T) {
	for sent, want := range map[string]bool{
		"PROXY TCP4 ": true, "\r\n\r\n\x00\r\nQUIT\n!": true, "PROXY": false, "": false, "\x10\x0c\x00\x04MQTT": false, "\r\n\r\n": false,
	} {
		if got := proxyproto.Begins([]byte(sent)); got != want {
			t.Errorf("Begins(%q) is %v", sent, got)
		}
	}
}

// What is appended is read again as it was, in both versions.
func TestAppendTo(t *testing.T) {
	addr := netip.MustParseAddrPort
	for _, h := range []proxyproto.Header{
		{},
		{Source: addr("192.0.2.7:40000"), Destination: addr("198.51.100.1:1883")},
		{Source: addr("[2001:db8::7]:0"), Destination: addr("[2001:db8::1]:65535")},
		{Source: addr("[2001:db8::7]:1"), Destination: addr("192.0.2.1:2")},
		{Source: addr("[::ffff:192.0.2.7]:1"), Destination: addr("192.0.2.1:2")},
	} {
		for h.Version = 1; h.Version <= 2; h.Version++ {
			sent := h.AppendTo([]byte("x"))[1:]
			want := h
			if h.Told() {
				want.Source = netip.AddrPortFrom(h.Source.Addr().Unmap(), h.Source.Port())
			}
			if got, err := proxyproto.Read(bytes.NewReader(sent)); err != nil || got != want {
				t.Errorf("%q is read as %v, %v; want %v", sent, got, err, want)
			}
		}
	}
	if sent := (proxyproto.Header{Version: 1, Source: addr("192.0.2.7:1")}).AppendTo(nil); string(sent) != "PROXY TCP4 192.0.2.7 0.0.0.0 1 0\r\n" {
		t.Errorf("without a destination: %q", sent)
	}
}

// Whatever the bytes are, reading them ends, reads no more than there is of a header, and agrees with itself.
func FuzzProxyHeader(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		defer ceiling.Bytes(ceiling.Lots + 32*len(b)).Hold(t)()
		h, n, need, err := proxyproto.Next(b)
		switch {
		case n < 0 || n > len(b) || n > proxyproto.MaxV2:
			t.Fatalf("a header of %d bytes in %d", n, len(b))
		case (err == nil && n == 0) != (need > 0):
			t.Fatalf("n %d, need %d, %v", n, need, err)
		case len(b)+need > proxyproto.MaxV2 && n == 0 && err == nil:
			t.Fatalf("%d bytes and %d more are longer than any header", len(b), need)
		case err != nil && h != (proxyproto.Header{}):
			t.Fatalf("%v with %v", h, err)
		}
		if n == 0 {
			return
		}
		for cut := range n {
			if _, n2, need, err := proxyproto.Next(b[:cut]); err != nil || n2 != 0 || need > n-cut {
				t.Fatalf("%d of %d bytes of %q: n %d, need %d, %v", cut, n, b[:n], n2, need, err)
			}
		}
		again, n2, _, err := proxyproto.Next(h.AppendTo(nil))
		if err != nil || n2 == 0 || again != h {
			t.Fatalf("%v is written and read as %v, %v", h, again, err)
		}
	})
}
