package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
)

// teller prints the transcript.
type teller struct {
	out    io.Writer
	scenes int
	err    error // the first line that could not be printed
}

func (t *teller) print(format string, args ...any) {
	if _, err := fmt.Fprintf(t.out, format, args...); t.err == nil {
		t.err = err
	}
}

func (t *teller) title(text string) { t.print("\n%s\n", text) }

func (t *teller) scene(text string) {
	t.scenes++
	t.print("\n%d. %s\n", t.scenes, text)
}

// line tells what somebody does. An arrow shows which way a packet goes.
func (t *teller) line(who, format string, args ...any) {
	t.print("   %-9s %s\n", who, fmt.Sprintf(format, args...))
}

// log keeps what the broker logs.
type log struct {
	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and replaced when a line comes
}

func newLog() *log { return &log{more: make(chan struct{})} }

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, strings.TrimSuffix(string(p), "\n"))
	close(l.more)
	l.more = make(chan struct{})
	return len(p), nil
}

// why waits for a line that contains a text, and returns why it was logged: the line from its rule on.
func (l *log) why(ctx context.Context, text string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		l.mu.Lock()
		lines, more := l.lines, l.more
		l.mu.Unlock()
		for _, line := range lines {
			if i := strings.Index(line, " rule="); i >= 0 && strings.Contains(line, text) {
				return line[i+1:], nil
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			return "", fmt.Errorf("the broker's log says nothing about %q", text)
		}
	}
}
