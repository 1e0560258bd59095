package proxyproto_test

import (
	"fmt"
	"io"
	"strings"

	"sampan/tlsconf/proxyproto"
)

func ExampleRead() {
	conn := strings.NewReader("PROXY TCP4 192.0.2.7 198.51.100.1 40000 1883\r\nthe client's own bytes")
	header, err := proxyproto.Read(conn)
	if err != nil {
		fmt.Println(err)
		return
	}
	rest, _ := io.ReadAll(conn)
	fmt.Printf("from %v: %s\n", header.Source, rest)
	// Output: from 192.0.2.7:40000: the client's own bytes
}
