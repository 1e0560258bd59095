// Command mochi is the broker of github.com/mochi-mqtt/server/v2 as a program to measure: anybody may connect
// and use any topic, and no message waits longer or is dropped sooner than a burst of the harness needs.
//
//	mochi -listen 127.0.0.1:1883
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"syscall"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	flag.Parse()
	server, addr, err := serve(*listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready", addr)
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, os.Interrupt)
	<-end
	server.Close()
}

// serve starts the broker and tells where it listens.
func serve(listen string) (*mqtt.Server, string, error) {
	capabilities := mqtt.NewDefaultServerCapabilities()
	// A burst at QoS 1 may be larger than the 1,024 messages that are the default.
	capabilities.ReceiveMaximum = math.MaxUint16
	capabilities.MaximumInflight = math.MaxUint16
	server := mqtt.New(&mqtt.Options{Capabilities: capabilities, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err := server.AddHook(new(auth.AllowHook), nil); err != nil {
		return nil, "", err
	}
	tcp := listeners.NewTCP(listeners.Config{ID: "tcp", Address: listen})
	if err := server.AddListener(tcp); err != nil {
		return nil, "", err
	}
	if err := server.Serve(); err != nil {
		return nil, "", err
	}
	return server, tcp.Address(), nil
}
