package fuzz

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sampan/fuzz/inprocess"
	"sampan/fuzz/script"
	"sampan/internal/ceiling"
)

var hunt = flag.Duration("hunt", 0, "how long TestSessionFixed looks for a script that fails")

var update = flag.Bool("update", false, "write the answers into the scripts, and the seeds made of them")

// FuzzSession: whatever clients do, the broker does what the model says, step by step, leaves no goroutine
// behind, and allocates no more than is due to so many steps.
func FuzzSession(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		s := script.Decode(data)
		defer sessionCeiling(s).Hold(t)()
		report(t, s, inprocess.Run(t, s))
	})
}

// sessionCeiling is what a script may allocate: for each step a connection with its buffers, or a start of the
// broker, and for each start on a disk the buffers and files of a log.
func sessionCeiling(s *script.Script) ceiling.Bytes {
	most := ceiling.Lots + 64<<10*len(s.Steps)
	if s.Disk {
		starts := 1
		for i := range s.Steps {
			if k := s.Steps[i].Kind; k == script.Restart || k == script.PowerCut {
				starts++
			}
		}
		most += 2 << 20 * starts
	}
	return ceiling.Bytes(most)
}

// report fails the test if the script did not end well.
func report(t interface{ Fatalf(string, ...any) }, s *script.Script, r script.Result) {
	if text := failure(s, r); text != "" {
		t.Fatalf("%s", text)
	}
}

func failure(s *script.Script, r script.Result) string {
	switch {
	case r.Err != nil:
		return "step " + s.At(r.Step) + ": " + r.Err.Error() + "\n" + s.Explain()
	case r.Deviation != nil:
		return "step " + s.At(r.Step) + ": " + r.Deviation.String() + "\n" + s.Explain()
	}
	return ""
}

// TestSessionScripts carries out the scripts that people have written, and those that once failed. The
// answers that they show are those of the model.
func TestSessionScripts(t *testing.T) {
	for name, s := range scripts(t) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", "scripts", name+".script")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want := leadingComment(string(text)) + s.Explain()
			if *update {
				if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if string(text) != want {
				t.Errorf("the answers are not the model's; go test -run TestSessionScripts -update writes them. Want\n%s", want)
			}
			report(t, s, inprocess.Run(t, s))
		})
	}
}

// TestSessionSeeds: each script is a seed of FuzzSession, and the seed is that script.
func TestSessionSeeds(t *testing.T) {
	for name, s := range scripts(t) {
		code, ok := script.Encode(s)
		if !ok {
			continue // it uses words that the fuzzer does not know
		}
		path := filepath.Join("testdata", "fuzz", "FuzzSession", name)
		want := goCorpus(code)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s: not the seed of its script (%v); go test -run TestSessionSeeds -update writes it", name, err)
		}
		if a, b := script.Decode(code).Explain(), s.Explain(); lines(a) != lines(b) {
			t.Errorf("%s: the seed is another script:\n%s", name, a)
		}
	}
}

// TestSessionRandom carries out scripts that rapid makes, and shrinks the one that fails.
func TestSessionRandom(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.IntRange(1, 40).Draw(rt, "steps")
		s := script.From(steps, func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "n") })
		report(rt, s, inprocess.Run(t, s))
	})
}

// TestSessionFixed carries out the same scripts every time and tells how many a second: go test -v -cpu 1
// -run TestSessionFixed. With -hunt it goes on for that time, and reduces the first script that fails to
// its shortest form; this is how mutants are caught (make mutants).
func TestSessionFixed(t *testing.T) {
	count, steps := 0, 0
	begin := time.Now()
	for ; count < 1000 || time.Since(begin) < *hunt; count++ {
		s := script.Random(uint64(count), 4+count%30)
		steps += len(s.Steps)
		r := inprocess.Run(t, s)
		if failure(s, r) == "" {
			continue
		}
		took := time.Since(begin)
		fails := func(s *script.Script) bool { return failure(s, inprocess.Run(t, s)) != "" }
		s = script.Minimise(s, 500, fails)
		t.Logf("caught after %d scripts, %v, in %d steps", count+1, took.Round(time.Millisecond), len(s.Steps))
		report(t, s, inprocess.Run(t, s))
	}
	took := time.Since(begin)
	t.Logf("%.0f scripts a second, of %.1f steps on average", float64(count)/took.Seconds(), float64(steps)/float64(count))
}

// scripts reads testdata/scripts.
func scripts(t *testing.T) map[string]*script.Script {
	t.Helper()
	found := make(map[string]*script.Script)
	paths, err := filepath.Glob(filepath.Join("testdata", "scripts", "*.script"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := script.Parse(string(text))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		found[strings.TrimSuffix(filepath.Base(path), ".script")] = s
	}
	return found
}

// leadingComment is the lines with # at the beginning.
func leadingComment(text string) string {
	end := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			break
		}
		end += len(line)
	}
	return text[:end]
}

func lines(s string) int { return strings.Count(s, "\n") }

// goCorpus is a file of a fuzz target's seeds.
func goCorpus(data []byte) string {
	return fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n", data)
}
