package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
	natsd "github.com/nats-io/nats-server/v2/server"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: peers mochi|nats HOST:PORT")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(name, addr string) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	start, ok := map[string]func(string) (func(), error){"mochi": mochi, "nats": nats}[name]
	if !ok {
		return fmt.Errorf("no such broker: %s", name)
	}
	end, err := start(addr)
	if err != nil {
		return err
	}
	fmt.Println("ready", name, addr)
	<-stop
	end()
	return nil
}

// mochi starts mochi-mqtt's server with everybody allowed.
func mochi(addr string) (end func(), err error) {
	s := mqtt.New(&mqtt.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err := s.AddHook(new(auth.AllowHook), nil); err != nil {
		return nil, err
	}
	if err := s.AddListener(listeners.NewTCP(listeners.Config{ID: "tcp", Address: addr})); err != nil {
		return nil, err
	}
	return func() { s.Close() }, s.Serve()
}

// nats starts nats-server with its MQTT listener. That needs JetStream, and so a directory.
func nats(addr string) (end func(), err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sampan-peers-nats-")
	if err != nil {
		return nil, err
	}
	o := &natsd.Options{ServerName: "peer", Host: host, Port: -1, JetStream: true, StoreDir: dir, NoLog: true, NoSigs: true}
	o.MQTT.Host, o.MQTT.Port = host, port
	s, err := natsd.NewServer(o)
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		return nil, fmt.Errorf("nats-server does not accept connections")
	}
	return func() { s.Shutdown(); s.WaitForShutdown(); os.RemoveAll(dir) }, nil
}
