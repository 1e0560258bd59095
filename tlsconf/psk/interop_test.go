package psk

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"sampan/tlsconf/internal/interop"
)

// interopTimeout bounds one foreign program's run.
const interopTimeout = 30 * time.Second

// lines is the data sent through: longer than one record, and of bytes that no
// program takes for a command.
func lines(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%08d some line of some packet\n", i)
	}
	return b.Bytes()[:n]
}

// met is what the server saw of one foreign client.
type met struct {
	state ConnectionState
	err   error
}

// echoServer takes one connection, reads want bytes, sends them back and says
// it is done.
func echoServer(t *testing.T, config *Config, want int) (port string, result <-chan met) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	ch := make(chan met, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			ch <- met{err: err}
			return
		}
		conn.SetDeadline(time.Now().Add(interopTimeout))
		server := Server(conn, config)
		defer server.Close()
		b := make([]byte, want)
		err = server.Handshake()
		if err == nil {
			_, err = io.ReadFull(server, b)
		}
		if err == nil {
			_, err = server.Write(b)
		}
		if err == nil {
			err = server.CloseWrite()
		}
		ch <- met{server.ConnectionState(), err}
		io.Copy(io.Discard, server) // until the client has gone, lest its data meet a reset
	}()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), ch
}

// foreign runs a client against our server and checks that data passed both
// ways and what was agreed on.
func foreign(t *testing.T, config *Config, size int, check func(ConnectionState) bool, command func(port string) []string) {
	t.Helper()
	port, result := echoServer(t, config, size)
	args := command(port)
	ctx, cancel := context.WithTimeout(t.Context(), interopTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	in, err := cmd.StdinPipe() // kept open: some clients end with their input
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	data := lines(size)
	in.Write(data)
	if strings.HasSuffix(args[0], ".bin") {
		in.Close() // ours read to the end first
	}
	got := <-result
	runErr := cmd.Wait()
	in.Close()
	if got.err != nil || !check(got.state) {
		t.Fatalf("server: %+v, %v\n%v\n%s", got.state, got.err, args, stderr.Bytes())
	}
	if !bytes.Contains(stdout.Bytes(), data) {
		t.Errorf("the client got %d bytes (%v), not the %d sent\n%s", stdout.Len(), runErr, size, stderr.Bytes())
	}
}

var opensslNames = map[uint16]string{
	TLS_PSK_WITH_AES_128_CBC_SHA:          "PSK-AES128-CBC-SHA",
	TLS_PSK_WITH_AES_128_CBC_SHA256:       "PSK-AES128-CBC-SHA256",
	TLS_PSK_WITH_AES_128_GCM_SHA256:       "PSK-AES128-GCM-SHA256",
	TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA:    "ECDHE-PSK-AES128-CBC-SHA",
	TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256: "ECDHE-PSK-AES128-CBC-SHA256",
}

func opensslClient(openssl, port string, id uint16, more ...string) []string {
	return append([]string{openssl, "s_client", "-connect", "127.0.0.1:" + port, "-quiet", "-ign_eof",
		"-psk_identity", testIdentity, "-psk", hex.EncodeToString(testKey),
		"-cipher", opensslNames[id] + ":@SECLEVEL=0"}, more...)
}

func TestOpenSSLClient(t *testing.T) {
	openssl := interop.Tool(t, "openssl", "openssl")
	for id, name := range opensslNames {
		for _, etm := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/etm=%v", name, etm), func(t *testing.T) {
				more := []string{"-tls1_2"}
				if !etm {
					more = append(more, "-no_etm")
				}
				foreign(t, serverConfig(), 100000, func(s ConnectionState) bool {
					return s.CipherSuite == id && s.Identity == testIdentity && s.ExtendedMasterSecret &&
						s.EncryptThenMAC == (etm && !suiteByID(id).aead())
				}, func(port string) []string { return opensslClient(openssl, port, id, more...) })
			})
		}
	}
	t.Run("offering TLS 1.3 too", func(t *testing.T) {
		foreign(t, serverConfig(), 100, func(s ConnectionState) bool { return s.CipherSuite == TLS_PSK_WITH_AES_128_CBC_SHA },
			func(port string) []string { return opensslClient(openssl, port, TLS_PSK_WITH_AES_128_CBC_SHA) })
	})
	for _, group := range []string{"X25519", "P-256", "P-384"} {
		t.Run("group "+group, func(t *testing.T) {
			want := map[string]uint16{"X25519": 29, "P-256": 23, "P-384": 24}[group]
			foreign(t, serverConfig(), 100, func(s ConnectionState) bool { return s.Group == want },
				func(port string) []string {
					return opensslClient(openssl, port, TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256, "-tls1_2", "-groups", group)
				})
		})
	}
	t.Run("fragments of 512", func(t *testing.T) {
		foreign(t, serverConfig(), 10000, func(s ConnectionState) bool { return s.MaxFragment == 512 },
			func(port string) []string {
				return opensslClient(openssl, port, TLS_PSK_WITH_AES_128_CBC_SHA, "-tls1_2", "-maxfraglen", "512")
			})
	})
	t.Run("with an identity hint", func(t *testing.T) {
		config := serverConfig()
		config.IdentityHint = []byte("sampan")
		foreign(t, config, 100, func(s ConnectionState) bool { return s.HandshakeComplete },
			func(port string) []string {
				return opensslClient(openssl, port, TLS_PSK_WITH_AES_128_GCM_SHA256, "-tls1_2")
			})
	})
}

// refusal runs a client that must not get in and returns the server's error
// and all that the client printed.
func refusal(t *testing.T, input string, command func(port string) []string) (output string, err error) {
	t.Helper()
	port, result := echoServer(t, serverConfig(), 1<<20)
	args := command(port)
	ctx, cancel := context.WithTimeout(t.Context(), interopTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(input)
	out, _ := cmd.CombinedOutput()
	return string(out), (<-result).err
}

func TestOpenSSLClientIsRefused(t *testing.T) {
	openssl := interop.Tool(t, "openssl", "openssl")
	const plain = TLS_PSK_WITH_AES_128_CBC_SHA
	for _, c := range []struct {
		name  string
		more  []string
		input string
		want  Alert
		says  string
	}{
		{"wrong key", []string{"-tls1_2", "-psk", "00112233"}, "", AlertBadRecordMAC, "bad record mac"},
		{"unknown identity", []string{"-tls1_2", "-psk_identity", "someone"}, "", AlertBadRecordMAC, "bad record mac"},
		{"TLS 1.1", []string{"-tls1_1"}, "", AlertProtocolVersion, "protocol version"},
		{"TLS 1.0", []string{"-tls1"}, "", AlertProtocolVersion, "protocol version"},
		{"TLS 1.3", []string{"-tls1_3"}, "", AlertProtocolVersion, "protocol version"},
		{"no PSK suite", []string{"-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"}, "", AlertHandshakeFailure, "handshake failure"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := refusal(t, c.input, func(port string) []string { return opensslClient(openssl, port, plain, c.more...) })
			wantAlert(t, err, c.want, false)
			if !strings.Contains(out, c.says) {
				t.Errorf("the client does not say %q:\n%s", c.says, out)
			}
		})
	}
	t.Run("renegotiation", func(t *testing.T) {
		out, err := refusal(t, "R\n", func(port string) []string {
			args := opensslClient(openssl, port, plain, "-tls1_2")
			return append(args[:4:4], args[6:]...) // without -quiet -ign_eof the letter is a command
		})
		wantAlert(t, err, AlertNoRenegotiation, false)
		if !strings.Contains(out, "no renegotiation") {
			t.Errorf("the client does not say so:\n%s", out)
		}
	})
}

func TestGnuTLSClient(t *testing.T) {
	gnutls := interop.Tool(t, "gnutls-cli", "gnutls-bin")
	priorities := map[uint16]string{
		TLS_PSK_WITH_AES_128_CBC_SHA:          "+PSK:+AES-128-CBC:+SHA1",
		TLS_PSK_WITH_AES_128_CBC_SHA256:       "+PSK:+AES-128-CBC:+SHA256",
		TLS_PSK_WITH_AES_128_GCM_SHA256:       "+PSK:+AES-128-GCM:+AEAD",
		TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA:    "+ECDHE-PSK:+AES-128-CBC:+SHA1",
		TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256: "+ECDHE-PSK:+AES-128-CBC:+SHA256",
	}
	for id, priority := range priorities {
		for _, etm := range []bool{true, false} {
			for _, ems := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/etm=%v/ems=%v", CipherSuiteName(id), etm, ems), func(t *testing.T) {
					p := "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:-CIPHER-ALL:-MAC-ALL:" + priority
					if !etm {
						p += ":%NO_ETM"
					}
					if !ems {
						p += ":%NO_SESSION_HASH"
					}
					size := 50000
					if suiteByID(id).ecdhe {
						size = 0 // gnutls-cli 3.7.9 crashes after the handshake, with any server
					}
					foreign(t, serverConfig(), size, func(s ConnectionState) bool {
						return s.CipherSuite == id && s.Identity == testIdentity && s.ExtendedMasterSecret == ems &&
							s.EncryptThenMAC == (etm && !suiteByID(id).aead())
					}, func(port string) []string {
						return []string{gnutls, "--port", port, "--logfile", "/dev/null", "--priority", p,
							"--pskusername", testIdentity, "--pskkey", hex.EncodeToString(testKey), "127.0.0.1"}
					})
				})
			}
		}
	}
}

// Debian's Mbed TLS takes keys of at most 32 bytes (MBEDTLS_PSK_MAX_LEN); the
// platform's SDK brings its own, configured for 64.
func TestMbedTLSClient(t *testing.T) {
	client := interop.Build(t, "testdata/clients/mbedtls.c", "/usr/include/mbedtls/ssl.h", "libmbedtls-dev", "mbedtls", "mbedx509", "mbedcrypto")
	bit := map[bool]string{true: "1", false: "0"}
	for id := range opensslNames {
		for _, etm := range []bool{true, false} {
			for _, ems := range []bool{true, false} {
				for fragment, length := range map[string]int{"0": 16384, "1": 512, "4": 4096} {
					if fragment != "0" && !(etm && ems) {
						continue
					}
					t.Run(fmt.Sprintf("%s/etm=%v/ems=%v/fragment=%d", CipherSuiteName(id), etm, ems, length), func(t *testing.T) {
						foreign(t, serverConfig(), 40000, func(s ConnectionState) bool {
							return s.CipherSuite == id && s.Identity == shortIdentity && s.ExtendedMasterSecret == ems &&
								s.EncryptThenMAC == (etm && !suiteByID(id).aead()) && s.MaxFragment == length
						}, func(port string) []string {
							return []string{client, port, strconv.FormatUint(uint64(id), 16), bit[etm], bit[ems], fragment, shortIdentity, string(testKey[:32])}
						})
					})
				}
			}
		}
	}
	t.Run("wrong key", func(t *testing.T) {
		out, err := refusal(t, "", func(port string) []string {
			return []string{client, port, "8c", "1", "1", "0", shortIdentity, "wrong"}
		})
		wantAlert(t, err, AlertBadRecordMAC, false)
		if !errors.Is(err, ErrBadRecord) || !strings.Contains(out, "handshake") {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

func TestWolfSSLClient(t *testing.T) {
	client := interop.Build(t, "testdata/clients/wolfssl.c", "/usr/include/wolfssl/ssl.h", "libwolfssl-dev", "wolfssl")
	for id, name := range map[uint16]string{
		TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256: "ECDHE-PSK-AES128-GCM-SHA256",
		TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256: "ECDHE-PSK-AES128-CBC-SHA256",
	} {
		t.Run(name, func(t *testing.T) {
			foreign(t, serverConfig(), 50000, func(s ConnectionState) bool {
				return s.CipherSuite == id && s.Identity == testIdentity
			}, func(port string) []string { return []string{client, port, name, testIdentity, string(testKey)} })
		})
	}
}

// foreignServer starts a server program on a free port and connects to it as
// soon as it listens.
func foreignServer(t *testing.T, command func(port string) []string) net.Conn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	args := command(port)
	cmd := exec.Command(args[0], args[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if _, err := cmd.StdinPipe(); err != nil { // open: s_server ends with its input
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%v:\n%s", args, out.Bytes())
		}
	})
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for start := time.Now(); time.Since(start) < interopTimeout; <-retry.C {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			conn.SetDeadline(time.Now().Add(interopTimeout))
			return conn
		}
	}
	t.Fatalf("%v does not listen", args)
	return nil
}

func TestOpenSSLServer(t *testing.T) {
	openssl := interop.Tool(t, "openssl", "openssl")
	for id, name := range opensslNames {
		for _, etm := range []bool{true, false} {
			for _, ems := range []bool{true, false} {
				v := variant{id, etm, ems}
				t.Run(v.String(), func(t *testing.T) {
					conn := foreignServer(t, func(port string) []string {
						return []string{openssl, "s_server", "-accept", "127.0.0.1:" + port, "-nocert", "-tls1_2", "-rev", "-naccept", "1",
							"-psk", hex.EncodeToString(testKey), "-psk_identity", testIdentity, "-psk_hint", "a hint",
							"-cipher", name + ":@SECLEVEL=0"}
					})
					client := Client(conn, v.client())
					defer client.Close()
					client.Write([]byte("abcdef\n"))
					got := make([]byte, 7)
					if _, err := io.ReadFull(client, got); err != nil || string(got) != "fedcba\n" {
						t.Fatalf("%q, %v", got, err)
					}
					s := client.ConnectionState()
					if s.CipherSuite != id || s.IdentityHint != "a hint" || s.ExtendedMasterSecret != ems || s.EncryptThenMAC != (etm && !suiteByID(id).aead()) {
						t.Errorf("%+v", s)
					}
				})
			}
		}
	}
}

func TestGnuTLSServer(t *testing.T) {
	gnutls := interop.Tool(t, "gnutls-serv", "gnutls-bin")
	passwords := t.TempDir() + "/psk"
	// The file's user names end at a colon; the platform's identity has none.
	if err := os.WriteFile(passwords, []byte(testIdentity+":"+hex.EncodeToString(testKey)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for id, p := range map[uint16]string{
		TLS_PSK_WITH_AES_128_GCM_SHA256:       "+PSK:+AES-128-GCM:+AEAD",
		TLS_PSK_WITH_AES_128_CBC_SHA:          "+PSK:+AES-128-CBC:+SHA1",
		TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256: "+ECDHE-PSK:+AES-128-CBC:+SHA256",
	} {
		t.Run(CipherSuiteName(id), func(t *testing.T) {
			conn := foreignServer(t, func(port string) []string {
				return []string{gnutls, "--port", port, "--echo", "--quiet", "--pskpasswd", passwords,
					"--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:-CIPHER-ALL:-MAC-ALL:" + p}
			})
			client := Client(conn, clientConfig())
			defer client.Close()
			client.Write([]byte("abcdef\n"))
			got := make([]byte, 7)
			if _, err := io.ReadFull(client, got); err != nil || string(got) != "abcdef\n" {
				t.Fatalf("%q, %v", got, err)
			}
			if s := client.ConnectionState(); s.CipherSuite != id {
				t.Errorf("%+v", s)
			}
		})
	}
}
