package main

import (
	"errors"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// serveNATS runs a nats-server with MQTT and its file store in dir, until SIGTERM.
func serveNATS(addr, dir string, always bool) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	o := &server.Options{ServerName: "durable", Host: host, Port: -1, JetStream: true, StoreDir: dir, SyncAlways: always, NoSigs: true}
	o.MQTT.Host, o.MQTT.Port = host, number
	s, err := server.NewServer(o)
	if err != nil {
		return err
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, os.Interrupt)
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		s.Shutdown()
		return errors.New("nats-server was not ready in time")
	}
	<-end
	s.Shutdown()
	s.WaitForShutdown()
	return nil
}
