package main

import (
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// sendHex: sendhex URL HEX [HEX] sends bytes to a broker and waits until it has closed the connection; the
// last word is what it must have sent before that.
func sendHex(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: sendhex URL HEX [HEX]")
	}
	_, hostPort, _ := strings.Cut(args[0], "://")
	conn, err := net.Dial("tcp", hostPort)
	ts.Check(err)
	defer conn.Close()
	ts.Check(conn.SetDeadline(time.Now().Add(patience)))
	packet, err := hex.DecodeString(strings.ReplaceAll(args[1], " ", ""))
	ts.Check(err)
	_, err = conn.Write(packet)
	ts.Check(err)
	answer, err := io.ReadAll(conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		ts.Fatalf("the connection was not closed")
	}
	want := ""
	if len(args) == 3 {
		want = strings.ReplaceAll(args[2], " ", "")
	}
	if got := hex.EncodeToString(answer); got != want {
		ts.Fatalf("the answer is %q, want %q", got, want)
	}
}

// hexFile: hexfile FILE HEX writes bytes that a script cannot hold.
func hexFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: hexfile FILE HEX")
	}
	content, err := hex.DecodeString(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), content, 0o600))
}
