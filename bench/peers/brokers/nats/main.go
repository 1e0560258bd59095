// Command nats is nats-server with its MQTT listener as a program to measure: anybody may connect and use any
// topic, what nats-server stores for MQTT goes to a directory, and no client is cut off for a burst of the
// harness.
//
//	nats -listen 127.0.0.1:1883 -store DIR
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"math"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// mostPending is what may wait for one client in bytes, four times the default.
const mostPending = 256 << 20

func main() {
	listen := flag.String("listen", "127.0.0.1:1883", "address to listen on")
	store := flag.String("store", "", "directory that is nats-server's own; empty: a temporary one")
	flag.Parse()
	if err := run(*listen, *store); err != nil {
		log.Fatal(err)
	}
}

// run serves until it is told to end.
func run(listen, store string) error {
	if store == "" {
		dir, err := os.MkdirTemp("", "nats-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		store = dir
	}
	s, err := serve(listen, store)
	if err != nil {
		return err
	}
	fmt.Println("ready", listen)
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, os.Interrupt)
	<-end
	s.Shutdown()
	s.WaitForShutdown()
	return nil
}

// serve starts the broker. MQTT needs its JetStream, and that a directory.
func serve(listen, store string) (*server.Server, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	o := &server.Options{
		ServerName: "bench", Host: host, Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: store, MaxPending: mostPending,
	}
	o.MQTT.Host, o.MQTT.Port = host, number
	// 65,535 is what all subscriptions of a client may have together, and a filter with # is two of them.
	o.MQTT.MaxAckPending = math.MaxUint16 / 2
	s, err := server.NewServer(o)
	if err != nil {
		return nil, err
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		s.Shutdown()
		return nil, errors.New("nats-server was not ready in time")
	}
	return s, nil
}
