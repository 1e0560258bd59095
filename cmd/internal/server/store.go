package server

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"sampan/session"
	"sampan/session/logstore"
	"sampan/session/wal"
)

// level is what the settings promise of a change that was acknowledged; 0 is memory.
func (s *Settings) level() wal.Level {
	switch s.Durability.String() {
	case "disk":
		return wal.Disk
	case "os":
		return wal.OS
	}
	return 0
}

// Sessions is the folder of the sessions and their messages in a data directory.
func Sessions(data string) string { return filepath.Join(data, "sessions") }

// openStore opens the store of sessions; nil is the one in memory.
func openStore(s *Settings, log *slog.Logger) (session.Store, error) {
	if s.level() == 0 {
		log.Warn("sessions and messages are in memory only: they end with the process", "durability", "memory")
		return nil, nil
	}
	if err := openData(s.Data); err != nil {
		return nil, err
	}
	store, err := logstore.Open(Sessions(s.Data), logstore.Options{Level: s.level(), FS: s.disk})
	if errors.Is(err, wal.ErrLocked) {
		return nil, fmt.Errorf("another broker runs on %s: %w", s.Data, err)
	}
	if _, ok := errors.AsType[*wal.Corrupt](err); ok {
		return nil, fmt.Errorf("the sessions in %s: %w; nothing was changed: 'sampan store verify' tells more, 'sampan store salvage' copies what can be read", s.Data, err)
	}
	if err != nil {
		return nil, fmt.Errorf("the sessions in %s: %w", s.Data, err)
	}
	found := store.Report()
	log.Info("recovered", "durability", s.Durability.String(), "sessions", found.Sessions, "messages", found.Messages,
		"queued", found.Queued, "read", found.Bytes, "took", found.Duration)
	if cut := found.Cut; cut != nil {
		log.Warn("the end of the log was torn by a crash and has been cut; nothing of it was acknowledged", "cut", fmt.Sprintf("%+v", *cut))
	}
	return store, nil
}
