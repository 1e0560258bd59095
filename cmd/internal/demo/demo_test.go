package demo

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

func TestTheStoryHappens(t *testing.T) {
	var out bytes.Buffer
	if err := Run(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, line := range []string{
		"<- CONNACK  0, accepted", "<- CONNACK  4, ", "signature", "session present", "set 18.0\n", "has the answer 18.2 after ",
		"<- SUBACK   0x80, refused", "All of it happened, in ",
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("the transcript lacks %q\n%s", line, out.String())
		}
	}
}

func TestAStoryThatCannotBeToldFails(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Run(ctx, new(bytes.Buffer)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := Run(t.Context(), iotest.TruncateWriter(new(bytes.Buffer), 0)); err != nil {
		t.Errorf("a writer that drops silently: %v", err)
	}
	if err := Run(t.Context(), failing{}); !errors.Is(err, errFull) {
		t.Errorf("a transcript that cannot be printed: %v", err)
	}
}

var errFull = errors.New("the disk is full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }
