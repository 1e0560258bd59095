package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"sampan/broker/brokertest"
)

// The broker started as systemd starts it: it serves the sockets that are open already, clients that came before
// it included, and says when it is ready, alive, reading its settings again, and on its way out.
func TestStartedBySystemd(t *testing.T) {
	dir := t.TempDir()
	supervisor, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: dir + "/notify", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer supervisor.Close()
	told := func(want string) {
		t.Helper()
		supervisor.SetReadDeadline(time.Now().Add(patience))
		for b := make([]byte, 1024); ; {
			n, err := supervisor.Read(b)
			if err != nil {
				t.Fatalf("waiting for %s: %v", want, err)
			}
			if strings.HasPrefix(string(b[:n]), want) {
				return
			}
		}
	}
	var files []*os.File
	var clients []*brokertest.Client
	addresses := map[string]string{}
	for network, at := range map[string]string{"tcp": "127.0.0.1:0", "unix": dir + "/mqtt"} {
		l, err := net.Listen(network, at)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		file, err := l.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		files, addresses[network] = append(files, file), l.Addr().String()
		early, err := net.Dial(network, l.Addr().String()) // waits in the kernel's queue
		if err != nil {
			t.Fatal(err)
		}
		client := brokertest.NewClient(t, early)
		client.Send(brokertest.ConnectPacket(network))
		clients = append(clients, client)
	}
	sampan, err := exec.LookPath("sampan")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	broker := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, sampan, "serve", "--profile=open", "--durability=memory", "--api=off",
		"--listen=mqtt://"+addresses["tcp"]+"?socket=a", "--listen=unix://?socket=b", "--data="+dir)
	names := "LISTEN_FDNAMES=a:b"
	if files[0].Name()[:4] == "unix" {
		names = "LISTEN_FDNAMES=b:a"
	}
	broker.Env = append(os.Environ(), "LISTEN_FDS=2", names, "NOTIFY_SOCKET="+dir+"/notify", "WATCHDOG_USEC=200000")
	broker.ExtraFiles, broker.Stderr = files, &log
	var out bytes.Buffer
	broker.Stdout = &out
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		broker.Process.Kill()
		if t.Failed() {
			t.Logf("%s\n%s", &out, &log)
		}
	}()
	told("READY=1\nSTATUS=ready mqtt://" + addresses["tcp"] + " unix://" + dir + "/mqtt")
	for _, client := range clients {
		client.Expect(brokertest.Bytes{0x20, 2, 0, 0})
		client.Sync()
	}
	told("WATCHDOG=1")
	broker.Process.Signal(syscall.SIGHUP)
	told("RELOADING=1\nMONOTONIC_USEC=")
	told("READY=1")
	broker.Process.Signal(syscall.SIGTERM)
	told("STOPPING=1")
	if err := broker.Wait(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "LISTENER") {
		t.Errorf("no table of the listeners: %s", &out)
	}
	if _, err := os.Stat(dir + "/mqtt"); err != nil {
		t.Errorf("the socket file, which is systemd's, is gone: %v", err)
	}
}
