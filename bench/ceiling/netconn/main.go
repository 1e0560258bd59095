// Netconn is the ceiling program with net.Conn: a goroutine for each
// connection reads a chunk and writes it to every subscriber itself.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"

	"sampan/bench/ceiling"
)

// chunk is the size of a read in bytes.
const chunk = 64 << 10

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	copied := flag.Bool("copy", false, "copy every message for every subscriber")
	flag.Parse()
	ln, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready", ln.Addr())
	hub := ceiling.NewHub()
	for {
		conn, err := ln.Accept()
		if err != nil {
			log.Fatal(err)
		}
		// It ends when the client closes.
		go serve(hub, conn, *copied)
	}
}

// sink is a connection as a subscriber.
type sink struct{ net.Conn }

func (s sink) Send(b []byte) { s.Write(b) } // an error shows up in serve's Read

// serve passes on what a client sends until it closes.
func serve(hub *ceiling.Hub, conn net.Conn, copied bool) {
	defer conn.Close()
	c := hub.NewClient(sink{conn}, copied)
	defer c.Close()
	buf, have := make([]byte, chunk), 0
	for {
		n, err := conn.Read(buf[have:])
		if err != nil {
			return
		}
		have += n
		used, err := c.Feed(buf[:have])
		if err != nil {
			return
		}
		have = copy(buf, buf[used:have])
		if have == len(buf) {
			buf = append(buf, make([]byte, len(buf))...)
		}
	}
}
