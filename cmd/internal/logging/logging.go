// Package logging sets up the structured log of the broker.
package logging

import (
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/spf13/pflag"

	"sampan/cmd/internal/value"
)

// Settings are the flags that say what the log looks like.
type Settings struct {
	Format value.Word
	Level  value.Word
}

// Register adds the flags to a command.
func (s *Settings) Register(flags *pflag.FlagSet) {
	s.Format = value.OneOf("text", "json")
	s.Level = value.OneOf("info", "debug", "warn", "error")
	flags.Var(&s.Format, "log-format", "how log lines are written")
	flags.Var(&s.Level, "log-level", "which log lines are written: this level and above")
}

var levels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

// Log is a logger whose settings can change while it is used.
type Log struct {
	*slog.Logger
	level  slog.LevelVar
	asJSON atomic.Bool
}

// New returns a logger that writes each line by one call of w.Write. Around a change of format two such
// calls can come at once, so w is safe for concurrent use, as an *os.File is.
func New(w io.Writer, s Settings) *Log {
	l := &Log{}
	l.Apply(s)
	options := &slog.HandlerOptions{Level: &l.level}
	l.Logger = slog.New(&handler{
		text:   slog.NewTextHandler(w, options),
		json:   slog.NewJSONHandler(w, options),
		asJSON: &l.asJSON,
	})
	return l
}

// Apply changes the settings, also of the loggers that were derived from this one.
func (l *Log) Apply(s Settings) {
	l.level.Set(levels[s.Level.String()])
	l.asJSON.Store(s.Format.String() == "json")
}
