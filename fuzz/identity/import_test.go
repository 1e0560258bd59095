package identity

import (
	"bytes"
	"testing"

	"sampan/broker/device"
	"sampan/broker/device/triples"
	"sampan/internal/ceiling"
)

// FuzzImport reads any bytes as a file. Every line is counted once, what was imported is there, and exported
// and imported again it is the same.
func FuzzImport(f *testing.F) {
	f.Fuzz(func(t *testing.T, file []byte) {
		lines := bytes.Count(file, []byte("\n"))
		defer ceiling.Bytes(ceiling.Lots + 32<<10*lines + 256*len(file)).Hold(t)()
		r := device.New(device.Options{})
		report, err := triples.Import(r, bytes.NewReader(file), triples.Options{Replace: true})
		if err == nil && report.Lines != report.Added+report.Unchanged+report.Replaced+report.Failed {
			t.Fatalf("%+v", report)
		}
		last := 0
		for _, p := range report.Problems {
			if p.Line <= last || p.Err == nil {
				t.Fatalf("problem of line %d after that of line %d: %v", p.Line, last, p.Err)
			}
			last = p.Line
		}
		if n := r.Stats().Devices; n != report.Added {
			t.Fatalf("%d devices, %+v", n, report)
		}
		var first, second bytes.Buffer
		if err := triples.Export(&first, r); err != nil {
			t.Fatal(err)
		}
		again := device.New(device.Options{})
		if report, err := triples.Import(again, bytes.NewReader(first.Bytes()), triples.Options{}); err != nil || report.Failed != 0 {
			t.Fatalf("%+v %v %v\n%s", report, report.Problems, err, first.String())
		}
		if err := triples.Export(&second, again); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Fatalf("exported\n%s\nimported and exported again\n%s", first.String(), second.String())
		}
	})
}
