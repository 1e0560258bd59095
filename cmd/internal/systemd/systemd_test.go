package systemd

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A child of the test is started as systemd starts a service: it takes what the variables say and serves each
// socket with one word.
func TestMain(m *testing.M) {
	if names := os.Getenv("SOCKETS_TO_SERVE"); names != "" {
		os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid())) // systemd knows it before it starts the process
		sockets, err := Inherited()
		if err != nil {
			io.WriteString(os.Stdout, err.Error())
			os.Exit(1)
		}
		for name := range strings.SplitSeq(names, ",") {
			l, err := sockets.Listener(name)
			if err != nil {
				io.WriteString(os.Stdout, err.Error())
				continue
			}
			conn, err := l.Accept()
			if err == nil {
				io.WriteString(conn, name+" "+os.Getenv("LISTEN_FDS")+os.Getenv("LISTEN_PID"))
				conn.Close()
			}
			l.Close()
		}
		io.WriteString(os.Stdout, "left "+strings.Join(sockets.Close(), ","))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestInheritedSockets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	var files []*os.File
	var ask []func() (net.Conn, error)
	for _, at := range [][2]string{{"tcp", "127.0.0.1:0"}, {"unix", path}, {"tcp", "127.0.0.1:0"}} {
		l, err := net.Listen(at[0], at[1])
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr()
		ask = append(ask, func() (net.Conn, error) { return net.Dial(addr.Network(), addr.String()) })
		file, err := l.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false)
		}
		l.Close()
	}
	child := exec.Command(os.Args[0])
	child.ExtraFiles = files
	child.Env = append(os.Environ(), "LISTEN_FDS=3", "LISTEN_FDNAMES=mqtt:local:spare", "SOCKETS_TO_SERVE=mqtt,local,mqtt")
	out := make(chan string, 1)
	go func() { // ends with the child
		b, err := child.Output()
		if err != nil {
			b = append(b, err.Error()...)
		}
		out <- string(b)
	}()
	for i, want := range []string{"mqtt ", "local "} {
		conn, err := ask[i]()
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		got, err := io.ReadAll(conn)
		if err != nil || string(got) != want {
			t.Errorf("socket %d says %q, %v", i, got, err)
		}
		conn.Close()
	}
	if got := <-out; got != "no socket is named mqtt; there are spareleft spare" {
		t.Errorf("the child says %q", got)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the socket file, which is systemd's, was removed: %v", err)
	}
	for _, file := range files {
		file.Close()
	}
}

func TestSocketsOfAnotherProcess(t *testing.T) {
	t.Setenv("LISTEN_FDS", "2")
	t.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()+1))
	s, err := Inherited()
	if err != nil || len(s.files) != 0 {
		t.Fatalf("took over %v, %v", s, err)
	}
	if os.Getenv("LISTEN_FDS") != "" {
		t.Error("the variables are still there for children")
	}
	if _, err := s.Listener("mqtt"); err == nil || !strings.Contains(err.Error(), "FileDescriptorName=") {
		t.Errorf("a socket that is not there: %v", err)
	}
}

func TestVariablesThatMakeNoSense(t *testing.T) {
	for _, c := range []struct{ fds, names, explains string }{
		{"two", "", "no number of sockets"},
		{"-1", "", "no number of sockets"},
		{"1025", "", "no number of sockets"},
		{"0", "a:b", "2 names for 0 sockets"},
	} {
		t.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
		t.Setenv("LISTEN_FDS", c.fds)
		t.Setenv("LISTEN_FDNAMES", c.names)
		if _, err := Inherited(); err == nil || !strings.Contains(err.Error(), c.explains) {
			t.Errorf("LISTEN_FDS=%s LISTEN_FDNAMES=%s: %v", c.fds, c.names, err)
		}
	}
}

// supervisor is the other end of NOTIFY_SOCKET.
func supervisor(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return conn
}

func told(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	var b [1024]byte
	n, err := conn.Read(b[:])
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestNotify(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "n"), "@sampan-test-" + strconv.Itoa(os.Getpid())} {
		conn := supervisor(t, path)
		t.Setenv("WATCHDOG_USEC", "3000000")
		t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
		n, err := NewNotifier()
		if err != nil {
			t.Fatal(err)
		}
		if os.Getenv("NOTIFY_SOCKET")+os.Getenv("WATCHDOG_USEC") != "" {
			t.Error("the variables are still there for children")
		}
		if n.Watchdog() != 1500*time.Millisecond {
			t.Errorf("a sign of life every %v", n.Watchdog())
		}
		for _, c := range []struct {
			say  func() error
			want string
		}{
			{func() error { return n.Ready("serving 3 listeners") }, "READY=1\nSTATUS=serving 3 listeners"},
			{n.Reloading, "RELOADING=1\nMONOTONIC_USEC="},
			{n.Alive, "WATCHDOG=1"},
			{n.Stopping, "STOPPING=1"},
		} {
			if err := c.say(); err != nil {
				t.Fatal(err)
			}
			if got := told(t, conn); !strings.HasPrefix(got, c.want) {
				t.Errorf("systemd is told %q, want %q", got, c.want)
			}
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestWithoutSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n, err := NewNotifier()
	if err != nil || n.Ready("x") != nil || n.Reloading() != nil || n.Alive() != nil || n.Stopping() != nil || n.Watchdog() != 0 || n.Close() != nil {
		t.Errorf("%v, %v", n, err)
	}
	t.Setenv("NOTIFY_SOCKET", "relative")
	if _, err := NewNotifier(); err == nil {
		t.Error("a socket that is none")
	}
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone"))
	if _, err := NewNotifier(); err == nil {
		t.Error("a socket that is not there")
	}
	supervisor(t, filepath.Join(t.TempDir(), "n"))
	t.Setenv("WATCHDOG_USEC", "1000000")
	t.Setenv("WATCHDOG_PID", "1")
	if n, err := NewNotifier(); err != nil || n.Watchdog() != 0 {
		t.Errorf("another process's watchdog: %v", err)
	}
}
