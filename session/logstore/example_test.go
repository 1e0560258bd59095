package logstore_test

import (
	"fmt"
	"log"
	"os"

	"sampan/session"
	"sampan/session/logstore"
)

// A message that was stored before the process ended is there when the next one opens the store.
func Example() {
	dir, err := os.MkdirTemp("", "sampan")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	store, err := logstore.Open(dir, logstore.Options{SegmentBytes: 1 << 20})
	if err != nil {
		log.Fatal(err)
	}
	id, err := store.Open("a1Product/device1")
	if err != nil {
		log.Fatal(err)
	}
	m := session.NewMessage([]byte("/a1Product/device1/user/get"), []byte("hello"), 0)
	if err := store.Append(m, []session.ID{id}); err != nil {
		log.Fatal(err)
	}
	durable := make(chan error, 1)
	store.Sync(func(err error) { durable <- err })
	if err := <-durable; err != nil {
		log.Fatal(err)
	}
	store.Close()

	store, err = logstore.Open(dir, logstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	err = store.Recover(func(r *session.Recovered) error {
		var first [1]session.Stored
		store.Queue(r.ID, 0, first[:])
		m, err := store.Load(first[0].Ref)
		if err != nil {
			return err
		}
		fmt.Printf("%s: %d queued, first %q\n", r.Identity, r.Queued, m.Payload())
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: a1Product/device1: 1 queued, first "hello"
}
