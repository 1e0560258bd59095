package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"sampan/cmd/internal/testtls"
)

// certificate: certificate CERT KEY writes a new certificate for localhost and its key.
func certificate(t *testing.T) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 2 {
			ts.Fatalf("usage: certificate CERT KEY")
		}
		made := testtls.NewServer(t)
		for i, file := range []string{made.CertFile, made.KeyFile} {
			content, err := os.ReadFile(file)
			ts.Check(err)
			ts.Check(os.WriteFile(ts.MkAbs(args[i]), content, 0o600))
		}
	}
}
