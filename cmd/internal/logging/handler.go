package logging

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// handler keeps the attributes of a derived logger in both formats, so that the format can change later.
type handler struct {
	text, json slog.Handler
	asJSON     *atomic.Bool
}

func (h *handler) current() slog.Handler {
	if h.asJSON.Load() {
		return h.json
	}
	return h.text
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.text.Enabled(ctx, level) // both have the same level
}

func (h *handler) Handle(ctx context.Context, record slog.Record) error {
	return h.current().Handle(ctx, record)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.text.WithAttrs(attrs), h.json.WithAttrs(attrs), h.asJSON}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.text.WithGroup(name), h.json.WithGroup(name), h.asJSON}
}
