package logging

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func settings(t *testing.T, args ...string) Settings {
	t.Helper()
	var s Settings
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	s.Register(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDefaultIsTextFromInfo(t *testing.T) {
	var out bytes.Buffer
	log := New(&out, settings(t))
	log.Debug("hidden")
	log.Info("shown", "client", "dev1")
	if got := out.String(); !strings.HasSuffix(got, "level=INFO msg=shown client=dev1\n") || strings.Contains(got, "hidden") {
		t.Errorf("log: %q", got)
	}
}

func TestFormatAndLevelChangeForDerivedLoggersToo(t *testing.T) {
	var out bytes.Buffer
	log := New(&out, settings(t, "--log-level=warn"))
	derived := log.With("room", "broker").WithGroup("client")
	derived.Info("hidden")
	log.Apply(settings(t, "--log-level=debug", "--log-format=json"))
	derived.Debug("shown", "name", "dev1")
	var line struct {
		Level, Msg, Room string
		Client           struct{ Name string }
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v in %q", err, out.String())
	}
	if line.Level != "DEBUG" || line.Msg != "shown" || line.Room != "broker" || line.Client.Name != "dev1" {
		t.Errorf("log line %+v", line)
	}
}
