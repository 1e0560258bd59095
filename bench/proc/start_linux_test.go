package proc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The test binary is also the server that the tests start.
func TestMain(m *testing.M) {
	if _, parent := os.LookupEnv("PROC_TEST_PARENT"); parent {
		os.Unsetenv("PROC_TEST_PARENT")
		s, err := Start(context.Background(), []string{os.Args[0], "{addr}"}, nil)
		if err != nil {
			panic(err)
		}
		fmt.Println(s.Addr)
		<-s.Ended()
		os.Exit(1)
	}
	addr, serve := os.LookupEnv("PROC_TEST_SERVE")
	if !serve {
		os.Exit(m.Run())
	}
	if addr == "" {
		os.Stderr.WriteString("cannot listen\n")
		os.Exit(3)
	}
	ln, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		panic(err)
	}
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		io.WriteString(c, "hello")
		c.Close()
	}
}

func TestStart(t *testing.T) {
	t.Setenv("PROC_TEST_SERVE", "yes")
	s, err := Start(context.Background(), []string{os.Args[0], "{host}:{port}"}, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(c)
	if string(text) != "hello" {
		t.Errorf("got %q", text)
	}
	u, err := s.Group.Read()
	if err != nil || u.Processors != 1 || u.RSS == 0 {
		t.Errorf("usage %+v, %v; want one processor", u, err)
	}
	if rss, err := s.Group.Memory(); err != nil || rss < u.RSS/2 || rss > 2*u.RSS {
		t.Errorf("resident memory %d bytes at a glance, %v; %d when looked at", rss, err, u.RSS)
	}
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(s.child.command.Process.Pid, &set); err != nil || set.Count() != 1 || !set.IsSet(0) {
		t.Errorf("runs on %d processors", set.Count())
	}
	s.Stop()
	select {
	case <-s.Ended():
	default:
		t.Error("still there after Stop")
	}
	if rss, err := s.Group.Memory(); err == nil {
		t.Errorf("its processes still have %d bytes", rss)
	}
	if _, err := s.Group.Read(); err == nil {
		t.Error("its processes still run")
	}
	s.Stop()
}

// A server does not outlive who has started it, even if that is killed.
func TestServerEndsWithItsParent(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "PROC_TEST_PARENT=yes", "PROC_TEST_SERVE=yes")
	parent.Stderr = os.Stderr
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	addr = strings.TrimSpace(addr)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	parent.Process.Kill()
	parent.Wait()
	for deadline := time.Now().Add(20 * time.Second); ; {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			break
		}
		c.Close()
		if time.Now().After(deadline) {
			t.Fatal("the server lives on")
		}
	}
}

// A server outlives the thread of the goroutine that has started it.
func TestServerOutlivesAThread(t *testing.T) {
	t.Setenv("PROC_TEST_SERVE", "yes")
	over := make(chan struct{})
	defer close(over)
	for _, cpus := range [][]int{nil, {0}} {
		var s *Server
		var err error
		thread := make(chan int)
		var start func()
		start = func() { // ends at once, and its thread with it
			runtime.LockOSThread()
			if unix.Gettid() == os.Getpid() { // the first thread of a process stays
				go start()
				<-over
				return
			}
			s, err = Start(context.Background(), []string{os.Args[0], "{addr}"}, cpus)
			thread <- unix.Gettid()
		}
		go start()
		task := fmt.Sprintf("/proc/self/task/%d", <-thread)
		if err != nil {
			t.Fatal(err)
		}
		for until := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			if _, err := os.Stat(task); err != nil {
				break
			}
			if time.Now().After(until) {
				t.Fatal("the thread goes on")
			}
		}
		c, err := net.Dial("tcp", s.Addr)
		if err != nil {
			t.Fatal("the server has ended: ", err)
		}
		c.Close()
		s.Stop()
	}
}

func TestStartFails(t *testing.T) {
	t.Setenv("PROC_TEST_SERVE", "")
	_, err := Start(context.Background(), []string{os.Args[0], "{addr}"}, nil)
	if err == nil || !strings.Contains(err.Error(), "cannot listen") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("a server that ends: %v", err)
	}
	if _, err := Start(context.Background(), nil, nil); err == nil {
		t.Error("an empty command was started")
	}
	if _, err := Start(context.Background(), []string{"/nonexistent"}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such program: %v", err)
	}
	if _, err := Start(context.Background(), []string{os.Args[0]}, []int{4000}); err == nil {
		t.Error("started on a processor that is not there")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Start(ctx, []string{"sleep", "60"}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a server that never listens: %v", err)
	}
}
