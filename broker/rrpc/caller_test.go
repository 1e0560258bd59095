package rrpc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sampan/broker"
	"sampan/broker/rrpc"
	"sampan/packet"
)

// device is a client that answers, or not, what it is asked on its rrpc topics.
type device struct {
	t      testing.TB
	conn   net.Conn
	in     []byte
	answer func(topic string, payload []byte) (answerTopic string, answer []byte)
}

// start runs a broker with a Caller.
func start(t testing.TB, log *slog.Logger) (*broker.Broker, *rrpc.Caller) {
	t.Helper()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	caller := rrpc.New(rrpc.Options{Logger: log})
	b, err := broker.New(broker.Options{Profile: broker.Open, Interceptor: caller, Observer: caller, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	caller.Use(b)
	t.Cleanup(func() { b.Shutdown(context.Background()) })
	return b, caller
}

// connect connects a device that subscribes to filter.
func connect(t testing.TB, b *broker.Broker, key, filter string, answer func(string, []byte) (string, []byte)) *device {
	t.Helper()
	nc, err := b.Dial()
	if err != nil {
		t.Fatal(err)
	}
	d := &device{t: t, conn: nc, answer: answer}
	c := packet.Connect{ClientID: []byte(key), CleanSession: true, KeepAlive: 60}
	d.send(c.AppendTo(nil))
	d.expect(packet.TypeConnack)
	if filter != "" {
		s := packet.Subscribe{ID: 1}
		s.Add([]byte(filter), 0)
		d.send(s.AppendTo(nil))
		d.expect(packet.TypeSuback)
	}
	go d.run()
	return d
}

func (d *device) send(b []byte) {
	if _, err := d.conn.Write(b); err != nil {
		d.t.Error(err)
	}
}

func (d *device) read() (packet.Frame, error) {
	buf := make([]byte, 4096)
	for {
		f, n, _, err := packet.Next(d.in, nil)
		if err != nil || n > 0 {
			d.in = d.in[n:]
			return f, err
		}
		n, err = d.conn.Read(buf)
		if err != nil {
			return f, err
		}
		d.in = append(d.in, buf[:n]...)
	}
}

func (d *device) expect(want packet.Type) {
	d.t.Helper()
	if f, err := d.read(); err != nil || f.Type() != want {
		d.t.Fatalf("got % x, %v; want %v", f.Raw, err, want)
	}
}

// run answers until the connection ends.
func (d *device) run() {
	for {
		f, err := d.read()
		if err != nil {
			return
		}
		var p packet.Publish
		if f.Type() != packet.TypePublish || p.Decode(f, nil) != nil || d.answer == nil {
			continue
		}
		topic, payload := d.answer(string(p.Topic), p.Payload)
		if topic == "" {
			continue
		}
		a := packet.Publish{Topic: []byte(topic), Payload: payload}
		if _, err := d.conn.Write(a.AppendTo(nil)); err != nil {
			return
		}
	}
}

// echo answers a system call as a device of the platform does.
func echo(topic string, payload []byte) (string, []byte) {
	return strings.Replace(topic, "/request/", "/response/", 1), append([]byte("re: "), payload...)
}

func request(timeout time.Duration) rrpc.Request {
	return rrpc.Request{ProductKey: "pk", DeviceName: "dev", Key: "dev", Payload: []byte("hello"), Timeout: timeout}
}

func TestSystemCall(t *testing.T) {
	b, caller := start(t, nil)
	connect(t, b, "dev", "/sys/pk/dev/rrpc/request/+", echo)
	a, err := caller.Call(t.Context(), request(5*time.Second))
	if err != nil || string(a.Payload) != "re: hello" {
		t.Fatalf("answer %q, %v", a.Payload, err)
	}
	if text := fmt.Sprint(a.MessageID); !regexp.MustCompile(`^[1-9][0-9]{18}$`).MatchString(text) {
		t.Errorf("message id %s has not 19 digits", text)
	}
	if s := caller.Stats(); s.Calls[rrpc.Success] != 1 || s.Pending != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestPayloadIsRawBytes(t *testing.T) {
	b, caller := start(t, nil)
	raw := []byte{0, 0xff, '{', 0x80, '\n'}
	connect(t, b, "dev", "/sys/pk/dev/rrpc/request/+", func(topic string, payload []byte) (string, []byte) {
		if !bytes.Equal(payload, raw) {
			t.Errorf("device got % x", payload)
		}
		return strings.Replace(topic, "/request/", "/response/", 1), payload
	})
	r := request(5 * time.Second)
	r.Payload = raw
	if a, err := caller.Call(t.Context(), r); err != nil || !bytes.Equal(a.Payload, raw) {
		t.Errorf("answer % x, %v", a.Payload, err)
	}
}

func TestCustomTopicCall(t *testing.T) {
	b, caller := start(t, nil)
	connect(t, b, "dev", "/ext/rrpc/#", func(topic string, payload []byte) (string, []byte) {
		if !regexp.MustCompile(`^/ext/rrpc/[0-9]{19}/pk/dev/user/get$`).MatchString(topic) {
			t.Errorf("request on %s", topic)
		}
		return topic, []byte("custom") // request and answer use the same topic
	})
	r := request(5 * time.Second)
	r.Topic = "/pk/dev/user/get"
	if a, err := caller.Call(t.Context(), r); err != nil || string(a.Payload) != "custom" {
		t.Errorf("answer %q, %v", a.Payload, err)
	}
}

// /ext/rrpc/# may be subscribed by anybody; a request goes to the device that is called alone.
func TestCustomTopicCallReachesNobodyElse(t *testing.T) {
	b, caller := start(t, nil)
	connect(t, b, "stranger", "/ext/rrpc/#", func(topic string, payload []byte) (string, []byte) {
		t.Errorf("a stranger got %s %q", topic, payload)
		return "", nil
	})
	connect(t, b, "dev", "/ext/rrpc/+/pk/dev/#", func(topic string, _ []byte) (string, []byte) { return topic, []byte("mine") })
	r := request(5 * time.Second)
	r.Topic = "/pk/dev/user/get"
	if a, err := caller.Call(t.Context(), r); err != nil || string(a.Payload) != "mine" {
		t.Errorf("answer %q, %v", a.Payload, err)
	}
}

func TestCodes(t *testing.T) {
	code := func(t *testing.T, caller *rrpc.Caller, want rrpc.Code) {
		t.Helper()
		began := time.Now()
		_, err := caller.Call(t.Context(), request(2*time.Second))
		if got := rrpc.CodeOf(err); got != want {
			t.Errorf("code %s (%v), want %s", got, err, want)
		}
		if want != rrpc.Timeout && time.Since(began) != 0 {
			t.Errorf("the answer took %v", time.Since(began))
		}
	}
	t.Run("OFFLINE", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, caller := start(t, nil)
			code(t, caller, rrpc.Offline)
		})
	})
	t.Run("OFFLINE after DISCONNECT", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, caller := start(t, nil)
			d := connect(t, b, "dev", "", nil)
			d.send(packet.AppendDisconnect(nil))
			d.conn.Close()
			synctest.Wait()
			code(t, caller, rrpc.Offline)
		})
	})
	t.Run("HALFCONN", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, caller := start(t, nil)
			connect(t, b, "dev", "", nil).conn.Close()
			synctest.Wait()
			code(t, caller, rrpc.HalfConn)
			time.Sleep(60 * time.Second) // the keep-alive, on the bubble's clock
			code(t, caller, rrpc.Offline)
		})
	})
	t.Run("TIMEOUT", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, caller := start(t, nil)
			connect(t, b, "dev", "/sys/pk/dev/rrpc/request/+", func(string, []byte) (string, []byte) { return "", nil })
			began := time.Now()
			code(t, caller, rrpc.Timeout)
			if took := time.Since(began); took != 2*time.Second {
				t.Errorf("timed out after %v", took)
			}
			if p := caller.Stats().Pending; p != 0 {
				t.Errorf("%d calls still wait", p)
			}
		})
	})
	t.Run("TIMEOUT without a subscription", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, caller := start(t, nil)
			connect(t, b, "dev", "", nil)
			_, err := caller.Call(t.Context(), request(2*time.Second))
			if rrpc.CodeOf(err) != rrpc.Timeout || !strings.Contains(err.Error(), "not subscribed") {
				t.Error(err)
			}
		})
	})
	t.Run("caller gives up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, caller := start(t, nil)
			connect(t, b, "dev", "/sys/pk/dev/rrpc/request/+", func(string, []byte) (string, []byte) { return "", nil })
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := caller.Call(ctx, request(8*time.Second)); rrpc.CodeOf(err) != rrpc.Unknown {
				t.Error(err)
			}
		})
	})
}

func TestTimeoutRange(t *testing.T) {
	_, caller := start(t, nil)
	for _, d := range []time.Duration{-1, time.Millisecond, 999 * time.Millisecond, 8001 * time.Millisecond} {
		if _, err := caller.Call(t.Context(), request(d)); !errors.Is(err, rrpc.ErrTimeout) {
			t.Errorf("timeout %v: %v", d, err)
		}
	}
}

// An answer counts if it comes from the device that was asked, in time, on the right topic, and once.
func TestUnexpectedAnswersAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var log bytes.Buffer
		b, caller := start(t, slog.New(slog.NewTextHandler(&lockedWriter{&mu, &log}, nil)))
		stranger := connect(t, b, "stranger", "", nil)
		publish := func(d *device, topic string) {
			p := packet.Publish{Topic: []byte(topic), Payload: []byte("forged")}
			d.send(p.AppendTo(nil))
			synctest.Wait()
		}
		asked := make(chan string, 1)
		dev := connect(t, b, "dev", "/sys/pk/dev/rrpc/request/+", func(topic string, _ []byte) (string, []byte) {
			asked <- topic
			return "", nil
		})
		done := make(chan error)
		go func() {
			_, err := caller.Call(t.Context(), request(2*time.Second))
			done <- err
		}()
		topic := strings.Replace(<-asked, "/request/", "/response/", 1)
		publish(stranger, topic)
		publish(dev, "/sys/pk/dev/rrpc/response/1")
		publish(dev, "/sys/pk/dev/rrpc/response/99999999999999999999999")
		publish(dev, "/ext/rrpc/"+topic[strings.LastIndex(topic, "/")+1:]+"/x")
		if err := <-done; rrpc.CodeOf(err) != rrpc.Timeout {
			t.Errorf("the call ended with %v", err)
		}
		publish(dev, topic) // late
		if n := caller.Stats().Unexpected; n != 5 {
			t.Errorf("%d answers refused, want 5", n)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, want := range []string{"code=1904", "another device", "code=1905"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("no %q in the log:\n%s", want, log.String())
			}
		}
	})
}

type lockedWriter struct {
	mu *sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func TestManyCallsAtOnce(t *testing.T) {
	b, caller := start(t, nil)
	const devices, calls = 50, 40
	for i := range devices {
		key := fmt.Sprint("dev", i)
		connect(t, b, key, "/sys/pk/"+key+"/rrpc/request/+", echo)
	}
	var wg sync.WaitGroup
	for i := range devices {
		for j := range calls {
			wg.Go(func() {
				key, text := fmt.Sprint("dev", i), fmt.Sprint(i, "/", j)
				a, err := caller.Call(t.Context(), rrpc.Request{ProductKey: "pk", DeviceName: key, Key: key, Payload: []byte(text)})
				if err != nil || string(a.Payload) != "re: "+text {
					t.Errorf("call %s: %q, %v", text, a.Payload, err)
				}
			})
		}
	}
	wg.Wait()
	if s := caller.Stats(); s.Calls[rrpc.Success] != devices*calls {
		t.Errorf("stats %+v", s)
	}
}

func TestPendingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caller := rrpc.New(rrpc.Options{MaxPending: 1})
		b, err := broker.New(broker.Options{Profile: broker.Open, Interceptor: caller, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Shutdown(context.Background())
		caller.Use(b)
		connect(t, b, "dev", "/sys/pk/dev/rrpc/request/+", func(string, []byte) (string, []byte) { return "", nil })
		go caller.Call(t.Context(), request(2*time.Second))
		synctest.Wait()
		if _, err := caller.Call(t.Context(), request(2*time.Second)); !errors.Is(err, rrpc.ErrTooMany) {
			t.Error(err)
		}
		time.Sleep(3 * time.Second) // on the bubble's clock: the first call has ended
	})
}

// quiet is a testing.TB for examples, which have none.
type quiet struct{ testing.TB }

func (quiet) Helper()                   {}
func (quiet) Error(args ...any)         { panic(fmt.Sprint(args...)) }
func (quiet) Fatal(args ...any)         { panic(fmt.Sprint(args...)) }
func (quiet) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
