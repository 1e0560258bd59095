package broker_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"

	"sampan/broker"
	"sampan/packet"
)

// quiet is a logger for examples, whose output is compared.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// A broker for any client, on a port of its own.
func Example() {
	b, err := broker.New(broker.Options{Profile: broker.Open, Logger: quiet})
	if err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go b.Serve(listener) // ends with Shutdown
	fmt.Println("serving:", listener.Addr().Network())
	fmt.Println("shut down:", b.Shutdown(context.Background()))
	// Output:
	// serving: tcp
	// shut down: <nil>
}

// A password for everybody, and a topic tree of one's own for each client.
func ExampleAuthenticator() {
	authenticate := func(_ context.Context, r *broker.ConnectRequest) (*broker.Principal, error) {
		if string(r.Password) != "open sesame" {
			return nil, &broker.Refusal{Code: packet.RefusedCredentials, Rule: "password"}
		}
		return &broker.Principal{Key: r.ClientID, Authorizer: topics{r.ClientID + "/"}}, nil
	}
	b, err := broker.New(broker.Options{Profile: broker.Open, Logger: quiet, Authenticator: broker.AuthenticatorFunc(authenticate)})
	if err != nil {
		panic(err)
	}
	defer b.Shutdown(context.Background())
	for _, password := range []string{"guess", "open sesame"} {
		conn, err := b.Dial()
		if err != nil {
			panic(err)
		}
		connect := packet.Connect{ClientID: []byte("lamp"), CleanSession: true,
			HasUsername: true, HasPassword: true, Password: []byte(password)}
		conn.Write(connect.AppendTo(nil))
		var answer [4]byte
		io.ReadFull(conn, answer[:])
		fmt.Printf("%s: %s\n", password, packet.ReturnCode(answer[3]))
		conn.Close()
	}
	// Output:
	// guess: bad user name or password
	// open sesame: accepted
}

// Subscribing and publishing without a connection.
func ExampleBroker_Subscribe() {
	b, err := broker.New(broker.Options{Profile: broker.Open, Logger: quiet})
	if err != nil {
		panic(err)
	}
	defer b.Shutdown(context.Background())
	heard := make(chan broker.Message)
	s, err := b.Subscribe("lamp/+", func(m broker.Message) { heard <- m })
	if err != nil {
		panic(err)
	}
	receivers, err := b.Publish(context.Background(), "lamp/on", []byte("now"), 1)
	fmt.Println(receivers, err)
	m := <-heard
	fmt.Println(m.Topic, string(m.Payload), m.QoS)
	s.Close()
	// Output:
	// 1 <nil>
	// lamp/on now 1
}

// The client's end of a connection within the process: bytes go in and out as on a network.
func ExampleBroker_Dial() {
	b, err := broker.New(broker.Options{Profile: broker.Open, Logger: quiet})
	if err != nil {
		panic(err)
	}
	defer b.Shutdown(context.Background())
	conn, err := b.Dial()
	if err != nil {
		panic(err)
	}
	connect := packet.Connect{ClientID: []byte("inside"), CleanSession: true}
	conn.Write(packet.AppendPingreq(connect.AppendTo(nil)))
	packets := packet.NewReader(conn, nil)
	for range 2 {
		f, err := packets.Next()
		if err != nil {
			panic(err)
		}
		fmt.Println(f.Type())
	}
	conn.Close()
	// Output:
	// CONNACK
	// PINGRESP
}
