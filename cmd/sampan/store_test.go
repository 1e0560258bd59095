package main

import (
	"bytes"
	"os"

	"github.com/rogpeppe/go-internal/testscript"
)

func init() { commands["damage"] = damage }

// damage: damage FILE TEXT changes a bit in the first place where a file has a text, as an old disk would.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: damage FILE TEXT")
	}
	file := ts.MkAbs(args[0])
	data, err := os.ReadFile(file)
	ts.Check(err)
	at := bytes.Index(data, []byte(args[1]))
	if at < 0 {
		ts.Fatalf("%s does not contain %q", args[0], args[1])
	}
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	ts.Check(err)
	_, err = f.WriteAt([]byte{data[at] ^ 4}, int64(at))
	ts.Check(err)
	ts.Check(f.Close())
}
