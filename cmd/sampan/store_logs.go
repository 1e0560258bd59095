package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"sampan/broker/device"
	"sampan/broker/ledger"
	"sampan/cmd/internal/control"
	"sampan/cmd/internal/server"
	"sampan/session/wal"
)

// otherLog is a log in a data directory beside that of the sessions.
type otherLog struct {
	name  string
	what  string // that is in it
	owner string // the name in its files, by which no other program's log is taken for it
	dir   func(data string) string
}

var otherLogs = []otherLog{
	{"devices", "products, devices, topics and access keys", device.Application, control.Registry},
	{"ledger", "shadows, properties, topologies, firmware and tickets", ledger.Application, server.Ledger},
}

// verifiedLog is what `sampan store verify` found in one of them.
type verifiedLog struct {
	Name    string       `json:"name"`
	Records int64        `json:"records"`
	Bytes   int64        `json:"bytes"`
	Torn    *storePlace  `json:"torn,omitempty"` // no fault
	Damage  []storePlace `json:"damage"`

	what string
}

// verifyLogs reads the logs beside that of the sessions, those that are there.
func verifyLogs(data string) (all []verifiedLog, err error) {
	for _, l := range otherLogs {
		if _, err := os.Stat(l.dir(data)); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		v, err := l.verify(l.dir(data))
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

func (l *otherLog) verify(dir string) (verifiedLog, error) {
	v := verifiedLog{Name: l.name, what: l.what, Damage: []storePlace{}}
	err := wal.Walk(dir, wal.Options{App: l.owner}, func(i wal.Item) error {
		place := storePlace{i.File, i.Offset, i.Length, i.Reason}
		switch i.Kind {
		case wal.ItemRecord:
			v.Records++
			v.Bytes += i.Length
		case wal.ItemDamage:
			v.Damage = append(v.Damage, place)
		case wal.ItemTorn:
			place.Reason = "it was being written when the process or the power went"
			v.Torn = &place
		}
		return nil
	})
	return v, err
}

func (v *verifiedLog) print(w io.Writer) {
	fmt.Fprintf(w, "%s: %d records, %d bytes\n", v.Name, v.Records, v.Bytes)
	printPlaces(w, v.Torn, v.Damage)
}
