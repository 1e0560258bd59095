package wal_test

import (
	"fmt"
	"log"
	"os"

	"sampan/session/wal"
)

func Example() {
	dir, err := os.MkdirTemp("", "sampan")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	o := wal.Options{SegmentBytes: 1 << 20}

	l, err := wal.Open(dir, o)
	if err != nil {
		log.Fatal(err)
	}
	for _, rec := range []string{"one", "two"} {
		if _, err := l.Append([]byte(rec)); err != nil {
			log.Fatal(err)
		}
	}
	if err := l.Wait(); err != nil { // both are on the disk now
		log.Fatal(err)
	}
	l.Close()

	l, err = wal.Open(dir, o)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	_, err = l.Replay(0, func(_ wal.Pos, rec []byte) error {
		fmt.Printf("%s\n", rec)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// one
	// two
}
