package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"sampan/broker/brokertest"
	"sampan/packet"
)

// These tests are about disks that the operating system itself makes fail. What cannot be had of it, such as
// an fsync that fails, is in cmd/internal/server and in package broker, on a simulated disk.

// ownMounts gives the test a view of its own of what is mounted, which the processes that it starts share.
func ownMounts(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // for good: the thread, and its view, end with the test
	err := syscall.Unshare(syscall.CLONE_NEWNS)
	if err == nil {
		err = syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	}
	if err != nil {
		t.Skipf("mounting is for root, with the right to: %v", err)
	}
}

func mount(t *testing.T, source, target, kind string, flags uintptr, options string) {
	t.Helper()
	if err := syscall.Mount(source, target, kind, flags, options); err != nil {
		t.Fatalf("mount %s: %v", target, err)
	}
	if flags&syscall.MS_REMOUNT == 0 {
		t.Cleanup(func() { syscall.Unmount(target, syscall.MNT_DETACH) })
	}
}

// served is a `sampan serve`.
type served struct {
	t             *testing.T
	command       *exec.Cmd
	log           *lockedBuffer
	mqtt, metrics string // where it listens
}

// serveOn starts a broker on a directory. It is nil if the broker ended before it was ready.
func serveOn(t *testing.T, dir, durability string) (s *served, log string) {
	t.Helper()
	return serveBy(t, serveWords(dir, durability)...)
}

// serveWords is the command that serves a directory.
func serveWords(dir, durability string) []string {
	return []string{"sampan", "serve", "--profile", "open", "--api", "off",
		"--durability", durability, "--data", dir, "--listen", "mqtt://127.0.0.1:0", "--metrics", "127.0.0.1:0"}
}

// serveBy starts a broker by a command, as serveOn does.
func serveBy(t *testing.T, command ...string) (s *served, log string) {
	t.Helper()
	s = &served{t: t, log: &lockedBuffer{}, command: exec.Command(command[0], command[1:]...)}
	s.command.Stderr = s.log
	out, err := s.command.StdoutPipe()
	if err == nil {
		err = s.command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	ready, _ := bufio.NewReader(out).ReadString('\n')
	words := strings.Fields(ready)
	if len(words) != 3 || words[0] != "ready" {
		err := s.command.Wait()
		if code := s.command.ProcessState.ExitCode(); code != 1 || ready != "" {
			t.Fatalf("the broker printed %q and ended: %v\n%s", ready, err, s.log)
		}
		return nil, s.log.String()
	}
	t.Cleanup(func() { s.command.Process.Kill() })
	s.mqtt, s.metrics = strings.TrimPrefix(words[1], "mqtt://"), strings.TrimPrefix(words[2], "metrics=")
	return s, ""
}

func (s *served) dial() *brokertest.Client {
	s.t.Helper()
	nc, err := net.Dial("tcp", s.mqtt)
	if err != nil {
		s.t.Fatal(err)
	}
	return brokertest.NewClient(s.t, nc)
}

func (s *served) measured() string {
	s.t.Helper()
	response, err := http.Get(s.metrics)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(page)
}

// stop asks the broker to end and returns its exit status.
func (s *served) stop() int {
	s.command.Process.Signal(syscall.SIGTERM)
	s.command.Wait()
	return s.command.ProcessState.ExitCode()
}

// leave makes the session away, which waits for everything below a/, and a publisher.
func (s *served) leave() (pub *brokertest.Client) {
	s.t.Helper()
	c := s.dial()
	c.Connect("away", brokertest.Persistent)
	c.Subscribe("a/#", 1)
	c.Disconnect()
	pub = s.dial()
	pub.Connect("pub")
	return pub
}

// fill publishes to the session away until the connection ends, and returns what was acknowledged.
func (s *served) fill(size int) (acknowledged []string) {
	s.t.Helper()
	pub := s.leave()
	for i := uint16(1); ; i++ {
		payload := fmt.Sprintf("%05d%s", i, strings.Repeat(".", size))
		if pub.TrySend(brokertest.Publish("a/x", payload, 1, i)) != nil {
			return acknowledged
		}
		f, err := pub.Receive()
		if err != nil {
			return acknowledged
		}
		var ack packet.Ack
		if err := ack.Decode(f, nil); err != nil || ack.ID != i {
			s.t.Fatalf("got %s for message %d", brokertest.Describe(f.Raw), i)
		}
		acknowledged = append(acknowledged, payload)
	}
}

// What was acknowledged before the disk was full is there when there is room again; nothing is acknowledged
// in between, and client and operator are told.
func TestTheDiskIsFull(t *testing.T) {
	ownMounts(t)
	disk := t.TempDir()
	mount(t, "tmpfs", disk, "tmpfs", 0, "size=4m")

	if s, log := serveOn(t, filepath.Join(disk, "disk"), "disk"); s != nil || !strings.Contains(log, "the disk is full") {
		t.Errorf("there is no room for a log at level disk, and the broker says\n%s", log)
	}
	if err := os.RemoveAll(filepath.Join(disk, "disk")); err != nil {
		t.Fatal(err)
	}

	dir := filepath.Join(disk, "data")
	s, log := serveOn(t, dir, "os")
	if s == nil {
		t.Fatal(log)
	}
	acknowledged := s.fill(64 << 10)
	if n := len(acknowledged); n < 20 || n > 64 {
		t.Errorf("%d messages of 64 KiB were acknowledged on a disk of 4 MiB", n)
	}
	for range 2 {
		c := s.dial()
		c.Send(brokertest.ConnectPacket("away", brokertest.Persistent))
		c.Expect(&packet.Connack{Code: packet.RefusedUnavailable})
		c.ExpectClosed()
	}
	for _, line := range []string{"sampan_store_failed 1\n", `sampan_connections_ended_total{reason="store-failed"} 1` + "\n"} {
		if !eventually(func() bool { return strings.Contains(s.measured(), line) }) {
			t.Errorf("the metrics lack %q:\n%s", line, s.measured())
		}
	}
	if code := s.stop(); code != 1 || strings.Count(s.log.String(), "level=ERROR msg=\"the session store has failed") != 1 ||
		!strings.Contains(s.log.String(), "the disk is full") {
		t.Errorf("exit status %d, and the log\n%s", code, s.log)
	}

	mount(t, "", disk, "", syscall.MS_REMOUNT, "size=64m")
	if s, log = serveOn(t, dir, "os"); s == nil {
		t.Fatal(log)
	}
	c := s.dial()
	if !c.Connect("away", brokertest.Persistent) {
		t.Fatal("the session is gone")
	}
	for i, want := range acknowledged {
		p := c.NextPublish()
		if string(p.Payload) != want {
			t.Fatalf("message %d is %.5s", i, p.Payload)
		}
		c.Send(brokertest.Puback(p.ID))
	}
	if page := s.measured(); !strings.Contains(page, "sampan_store_failed 0\n") {
		t.Errorf("the metrics of a store that works:\n%s", page)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("exit status %d\n%s", code, s.log)
	}
}

// A broker does not open on what it cannot write, says so, and changes nothing.
func TestTheDiskIsReadOnly(t *testing.T) {
	ownMounts(t)
	dir := filepath.Join(t.TempDir(), "data")
	s, log := serveOn(t, dir, "disk")
	if s == nil {
		t.Fatal(log)
	}
	s.leave().Publish("a/x", "kept", 1)
	if code := s.stop(); code != 0 {
		t.Fatalf("exit status %d\n%s", code, s.log)
	}

	mount(t, dir, dir, "", syscall.MS_BIND, "")
	mount(t, "", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
	if err := os.WriteFile(filepath.Join(dir, "probe"), nil, 0o600); !errors.Is(err, syscall.EROFS) {
		t.Skipf("a directory that is mounted read-only can be written: %v", err)
	}
	if s, log := serveOn(t, dir, "disk"); s != nil || !strings.Contains(log, "cannot be written") {
		t.Errorf("on a read-only file system the broker says\n%s", log)
	}
	mount(t, "", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT, "")
	if s, log = serveOn(t, dir, "disk"); s == nil {
		t.Fatal(log)
	}
	c := s.dial()
	if !c.Connect("away", brokertest.Persistent) {
		t.Fatal("the session is gone")
	}
	if p := c.NextPublish(); string(p.Payload) != "kept" {
		t.Errorf("got %q", p.Payload)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("exit status %d\n%s", code, s.log)
	}
}
