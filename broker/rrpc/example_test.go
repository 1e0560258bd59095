package rrpc_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"strings"
	"time"

	"sampan/broker"
	"sampan/broker/rrpc"
)

// A server calls a device and has the answer in the same call. Here the device is in the same process.
func Example() {
	caller := rrpc.New(rrpc.Options{})
	b, err := broker.New(broker.Options{
		Profile:     broker.Open,
		Interceptor: caller,
		Observer:    caller,
		Logger:      slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	caller.Use(b)
	defer b.Shutdown(context.Background())

	connect(quiet{}, b, "lamp", "/sys/pk/lamp/rrpc/request/+", func(topic string, payload []byte) (string, []byte) {
		return strings.Replace(topic, "request", "response", 1), []byte("lamp is " + string(payload))
	})

	answer, err := caller.Call(context.Background(), rrpc.Request{
		ProductKey: "pk", DeviceName: "lamp", Key: "lamp", Payload: []byte("on"), Timeout: 2 * time.Second,
	})
	fmt.Println(string(answer.Payload), err)
	// Output: lamp is on <nil>
}
