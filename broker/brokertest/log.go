package brokertest

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// Log keeps log lines as text: level, message and attributes as key=value, without the time.
type Log struct {
	mu    sync.Mutex // guards what follows
	lines bytes.Buffer
}

// NewLog returns an empty log.
func NewLog() *Log { return new(Log) }

// Logger returns a logger that writes to the log, at every level.
func (l *Log) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
}

// Write implements io.Writer, for the logger.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(p)
}

// Lines returns the lines that contain every one of the words.
func (l *Log) Lines(words ...string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.lines.String()) {
		line = strings.TrimSuffix(line, "\n")
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			found = append(found, line)
		}
	}
	return found
}

// String returns the whole log.
func (l *Log) String() string { return fmt.Sprint(strings.Join(l.Lines(), "\n")) }
