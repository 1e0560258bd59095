package triples

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sampan/broker/device"
)

var update = flag.Bool("update", false, "write the results beside the files of testdata/import")

// Each file of testdata/import is read into an empty registry; beside it stands what the report says and which
// devices are there then.
func TestImportFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/import/*.csv")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r := device.New(device.Options{})
			// One byte at a time, so that nothing depends on how the file is cut.
			report, err := Import(r, iotest.OneByteReader(bytes.NewReader(text)), Options{})
			var out strings.Builder
			fmt.Fprintf(&out, "lines %d, added %d, unchanged %d, replaced %d, failed %d\n",
				report.Lines, report.Added, report.Unchanged, report.Replaced, report.Failed)
			for _, p := range report.Problems {
				fmt.Fprintf(&out, "%v\n", p)
			}
			if err != nil {
				fmt.Fprintf(&out, "error: %v\n", err)
			}
			for p := range r.Products() {
				for d := range r.Devices(p.Key, 0) {
					secret := ""
					if strings.HasPrefix(p.Secret, "ps") {
						secret = " (" + p.Secret + ")"
					}
					fmt.Fprintf(&out, "%s %s %s%s\n", p.Key, d.Name(), d.Secret(), secret)
				}
			}
			beside := strings.TrimSuffix(file, ".csv") + ".txt"
			if *update {
				if err := os.WriteFile(beside, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(beside)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is exported and imported again is the same.
func TestExportIsImported(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := device.New(device.Options{})
		var batch []device.Imported
		for range rapid.IntRange(0, 20).Draw(t, "devices") {
			batch = append(batch, device.Imported{
				ProductKey:    rapid.SampledFrom([]string{"pk1", "pk2", "deviceName"}).Draw(t, "pk"),
				DeviceName:    rapid.OneOf(rapid.StringMatching(`[!-~]{1,8}`), rapid.StringN(1, 8, 32), rapid.Just("deviceSecret")).Draw(t, "dn"),
				DeviceSecret:  rapid.StringMatching(`[!-~]{1,32}`).Draw(t, "ds"),
				ProductSecret: rapid.StringMatching(`[!-~]{0,4}`).Draw(t, "ps"),
			})
		}
		if _, err := r.Import(batch, true); err != nil {
			t.Fatal(err)
		}
		list := func(r *device.Registry) (all []string) {
			for p := range r.Products() {
				for d := range r.Devices(p.Key, 0) {
					all = append(all, fmt.Sprintf("%s %q %s %s", p.Key, d.Name(), d.Secret(), p.Secret))
				}
			}
			return all
		}
		var file bytes.Buffer
		if err := Export(&file, r); err != nil {
			t.Fatal(err)
		}
		text := file.String()
		again := device.New(device.Options{})
		report, err := Import(again, &file, Options{})
		if err != nil || report.Failed != 0 || report.Added != report.Lines {
			t.Fatalf("%+v %v %v\n%s", report, report.Problems, err, text)
		}
		if diff := cmp.Diff(list(r), list(again)); diff != "" {
			t.Fatalf("%s\n%s", diff, text)
		}
	})
}

func TestExportOfSomeProducts(t *testing.T) {
	r := device.New(device.Options{})
	r.Import([]device.Imported{
		{ProductKey: "pk1", DeviceName: "dev1", DeviceSecret: "s1", ProductSecret: "p1"},
		{ProductKey: "pk2", DeviceName: "dev2", DeviceSecret: `s",2`, ProductSecret: "p2"},
		{ProductKey: "pk3", DeviceName: "dev3", DeviceSecret: "s3", ProductSecret: "p3"},
	}, false)
	var out strings.Builder
	if err := Export(&out, r, "pk3", "pk2"); err != nil {
		t.Fatal(err)
	}
	want := "productKey,deviceName,deviceSecret,productSecret\npk3,dev3,s3,p3\npk2,dev2,\"s\"\",2\",p2\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	out.Reset()
	if err := Export(&out, r, "pk1", "none"); !errors.Is(err, device.ErrNoProduct) || out.Len() != 0 {
		t.Errorf("%v, wrote %q", err, out.String())
	}
	broken := errors.New("disk full")
	if err := Export(writer{broken}, r); !errors.Is(err, broken) {
		t.Error(err)
	}
}

type writer struct{ err error }

func (w writer) Write([]byte) (int, error) { return 0, w.err }

func TestImportReplaces(t *testing.T) {
	r := device.New(device.Options{})
	file := "pk,dev1,s1,p1\npk,dev2,s2\n"
	if _, err := Import(r, strings.NewReader(file), Options{}); err != nil {
		t.Fatal(err)
	}
	var problems []string
	changed := "pk,dev1,s1,p2\npk,dev2,s3\npk,dev3,s3\n"
	report, err := Import(r, strings.NewReader(changed), Options{Problem: func(e *LineError) { problems = append(problems, e.Error()) }})
	if err != nil || report.Failed != 2 || report.Added != 1 || len(problems) != 2 || !strings.HasPrefix(problems[1], "line 2: ") || !errors.Is(report.Problems[1], device.ErrExists) {
		t.Errorf("%+v %v %v", report, err, problems)
	}
	report, err = Import(r, strings.NewReader(changed), Options{Replace: true})
	if err != nil || report.Failed != 0 || report.Replaced != 1 || report.Unchanged != 2 {
		t.Errorf("%+v %v", report, err)
	}
	if p, _ := r.Product("pk"); p.Secret != "p2" {
		t.Errorf("product secret %q", p.Secret)
	}
}

// Only the first problems are listed, all are counted.
func TestManyProblems(t *testing.T) {
	report, err := Import(device.New(device.Options{}), strings.NewReader(strings.Repeat("x\n", 10_000)), Options{})
	if err != nil || report.Failed != 10_000 || report.Lines != 10_000 || len(report.Problems) != keptProblems || report.Problems[19].Line != 20 {
		t.Errorf("%+v %v", report, err)
	}
}

// What was read before a reader failed is imported; the error comes back.
func TestImportOfABrokenFile(t *testing.T) {
	broken := errors.New("cable pulled")
	r := device.New(device.Options{})
	report, err := Import(r, io.MultiReader(strings.NewReader("pk,dev1,s1\npk,dev2,s2\npk,de"), iotest.ErrReader(broken)), Options{})
	if !errors.Is(err, broken) || report.Added != 2 || r.DeviceCount("pk") != 2 {
		t.Errorf("%+v %v", report, err)
	}
}

func TestImportIntoAClosedRegistry(t *testing.T) {
	r := device.New(device.Options{})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if report, err := Import(r, strings.NewReader("pk,dev1,s1\n"), Options{}); !errors.Is(err, device.ErrClosed) || report.Added != 0 {
		t.Errorf("%+v %v", report, err)
	}
}

// endless is a file without an end of line.
type endless struct{ left int }

func (e *endless) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(b), e.left)
	e.left -= n
	for i := range b[:n] {
		b[i] = '"'
	}
	return n, nil
}

func TestImportIsBounded(t *testing.T) {
	if n := testing.AllocsPerRun(1, func() {
		report, err := Import(device.New(device.Options{}), &endless{left: 50 << 20}, Options{})
		if err != nil || report.Failed != 1 || !errors.Is(report.Problems[0], errLongLine) {
			t.Fatalf("%+v %v", report, err)
		}
	}); n > 200 {
		t.Errorf("%v allocations for a line of 50 MB", n)
	}
}

// lineFile makes a file of n lines as it is read.
type lineFile struct {
	next, n int
	rest    []byte
}

func (f *lineFile) Read(b []byte) (int, error) {
	for len(f.rest) < len(b) && f.next < f.n {
		f.rest = fmt.Appendf(f.rest, "a1B2c3D4e%02d,device-%08d,%032d\n", f.next%10, f.next, f.next)
		f.next++
	}
	if len(f.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, f.rest)
	f.rest = append(f.rest[:0], f.rest[n:]...)
	return n, nil
}

// A million lines into a registry on disk.
func BenchmarkImport(b *testing.B) {
	for b.Loop() {
		r, err := device.Open(b.TempDir(), device.Options{})
		if err != nil {
			b.Fatal(err)
		}
		report, err := Import(r, &lineFile{n: 1_000_000}, Options{})
		if err != nil || report.Added != 1_000_000 {
			b.Fatal(report, err)
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(1e6*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
