package alink_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sampan/broker/ledger"
	"sampan/session/wal"
)

// What a device has posted last is there, whatever it posts, how long it is, and how often the broker starts again.
func TestWhatWasPostedLastIsKept(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRestarted(t)
		s := r.service()
		want := make(map[string]string)
		for range rapid.IntRange(1, 30).Draw(rt, "posts") {
			if rapid.IntRange(0, 3).Draw(rt, "restart") == 0 {
				s = r.service()
			}
			var members []string
			for range rapid.IntRange(0, 3).Draw(rt, "members") {
				name := fmt.Sprintf("p%d", rapid.IntRange(0, 9).Draw(rt, "name"))
				size := rapid.SampledFrom([]int{1, 10, 1000, 4000, 8100, 8200, 20_000}).Draw(rt, "size")
				value := `"` + strings.Repeat(string(rapid.RuneFrom([]rune("abc")).Draw(rt, "letter")), size) + `"`
				members = append(members, `"`+name+`":`+value)
				want[name] = value
			}
			if answer := r.post(s, "{"+strings.Join(members, ",")+"}"); !strings.Contains(answer, `"code":200`) {
				rt.Fatalf("answered %s", answer)
			}
			got := make(map[string]string)
			all, err := s.Properties("pk", "dev1")
			if err != nil {
				rt.Fatal(err)
			}
			for name, p := range all {
				got[name] = string(p.Value)
			}
			if !maps.Equal(got, want) {
				rt.Fatalf("kept are %.300v, want %.300v", got, want)
			}
		}
	})
}

// A device that has posted very much, and then very little at a time, does not make the broker write it all again each
// time; not with the same property, and not with others.
func TestAPostIsWrittenNotAllThereIs(t *testing.T) {
	const (
		posts = 600
		most  = 8 << 10 // bytes for each of them
	)
	for _, names := range []int{1, 900} {
		r := newRestarted(t)
		kept, err := ledger.Open(t.TempDir(), ledger.Options{Level: wal.OS})
		if err != nil {
			t.Fatal(err)
		}
		defer kept.Close()
		r.kept = kept
		s := r.service()
		for i := range 90 {
			r.post(s, fmt.Sprintf(`{"long%d":"%s"}`, i, strings.Repeat("x", 2500)))
		}
		before := r.kept.Stats().LogBytes
		for i := range posts {
			if i%100 == 50 {
				s = r.service()
			}
			if answer := r.post(s, fmt.Sprintf(`{"a%d":%d}`, i%names, i)); !strings.Contains(answer, `"code":200`) {
				t.Fatal(answer)
			}
		}
		written := r.kept.Stats().LogBytes - before
		t.Logf("%d names: %d bytes written for %d posts", names, written, posts)
		if written < posts*10 || written > posts*most {
			t.Errorf("%d names: %d bytes written for %d posts", names, written, posts)
		}
		if n := r.kept.Stats().Records[ledger.NewerProperties]; n != 1 {
			t.Errorf("%d names: %d records of what is newer", names, n)
		}
	}
}

// Of two records one can be read though the other cannot; and a device has no second one without need.
func TestTheOtherRecordCanBeRead(t *testing.T) {
	for _, kind := range []ledger.Kind{ledger.Properties, ledger.NewerProperties} {
		r := newRestarted(t)
		d, err := r.registry.Device("pk", "dev1")
		if err != nil {
			t.Fatal(err)
		}
		s := r.service()
		r.post(s, `{"few":1}`)
		if r.kept.Has(ledger.NewerProperties, d.IotID()) {
			t.Error("few properties are in two records")
		}
		r.post(s, `{"old":"`+strings.Repeat("x", 10_000)+`"}`)
		r.post(s, `{"new":1}`)
		if !r.kept.Has(ledger.NewerProperties, d.IotID()) {
			t.Error("many properties are in one record")
		}
		if err := r.kept.Put(kind, ledger.Record{Key: d.IotID(), Value: []byte("{")}); err != nil {
			t.Fatal(err)
		}
		s = r.service()
		for _, post := range []string{"", `{"next":1}`} {
			if post != "" {
				r.post(s, post)
				s = r.service()
			}
			all, err := s.Properties("pk", "dev1")
			if err != nil {
				t.Fatal(err)
			}
			_, hasOld := all["old"]
			_, hasNew := all["new"]
			_, hasNext := all["next"]
			if hasOld != (kind == ledger.NewerProperties) || hasNew != (kind == ledger.Properties) || hasNext != (post != "") {
				t.Errorf("%v is damaged: %d properties, old %v, new %v, next %v", kind, len(all), hasOld, hasNew, hasNext)
			}
		}
		if log := r.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "kind="+kind.String()) {
			t.Errorf("%v is damaged: logged\n%s", kind, log)
		}
		s.Forget(d.IotID())
		if r.kept.Has(ledger.Properties, d.IotID()) || r.kept.Has(ledger.NewerProperties, d.IotID()) {
			t.Error("something is kept of a device that was deleted")
		}
	}
}
