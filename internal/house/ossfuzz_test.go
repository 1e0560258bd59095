package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A target that OSS-Fuzz does not build, or builds without seeds, is not missed by anybody there. The script is
// carried out as it is, in a copy of what it looks at; what OSS-Fuzz's image brings along only notes its arguments.
func TestOSSFuzzBuildsEveryTargetOfTheFuzzFolder(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command")
	}

	dir := t.TempDir()
	put := func(name string, content []byte) {
		t.Helper()
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	for _, name := range files(t) {
		// Not peers, which is a module of its own.
		if !strings.HasPrefix(name, "fuzz/") || strings.HasPrefix(name, "fuzz/peers/") {
			continue
		}
		test := strings.HasSuffix(name, "_test.go")
		if !test && !strings.HasPrefix(name, "fuzz/dict/") && !strings.HasPrefix(name, "fuzz/oss-fuzz/") {
			continue
		}
		content := read(t, name)
		put("src/sampan/"+name, content)
		if !test || name == "fuzz/session_test.go" { // build.sh says why
			continue
		}
		for _, match := range fuzzTarget.FindAllSubmatch(content, -1) {
			want = append(want, "sampan/"+filepath.ToSlash(filepath.Dir(name))+" "+string(match[1]))
		}
	}
	for _, folder := range []string{"out", "work"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put("bin/go", []byte("#!/bin/sh\ncd '"+root(t)+"' && exec '"+goCommand+"' \"$@\"\n"))
	put("bin/compile_native_go_fuzzer_v2", []byte("#!/bin/sh\necho \"$@\" >>\"$OUT/compiled\"\n"))
	put("bin/zip", []byte("#!/bin/sh\ntest -s \"$4\" && : >\"$3\"\n"))

	build := exec.Command(bash, "-eu", filepath.Join(dir, "src/sampan/fuzz/oss-fuzz/build.sh"))
	build.Dir = dir
	build.Env = append(os.Environ(), "SRC="+filepath.Join(dir, "src"), "WORK="+filepath.Join(dir, "work"),
		"OUT="+filepath.Join(dir, "out"), "PATH="+filepath.Join(dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build.sh: %v\n%s", err, out)
	}

	compiled, err := os.ReadFile(filepath.Join(dir, "out", "compiled"))
	if err != nil {
		t.Fatal(err)
	}
	var got, names []string
	for line := range strings.Lines(string(compiled)) {
		words := strings.Fields(line)
		if len(words) != 3 {
			t.Fatalf("the compiler was called with %q, not with PACKAGE TARGET NAME", words)
		}
		got = append(got, words[0]+" "+words[1])
		names = append(names, words[2])
		for _, suffix := range []string{"_seed_corpus.zip", ".dict", ".options"} {
			if _, err := os.Stat(filepath.Join(dir, "out", words[2]+suffix)); err != nil {
				t.Errorf("%s: %v", words[1], err)
			}
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("build.sh builds\n%s\nthe targets are\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, name := range []string{"fuzz_decode", "fuzz_psk_server", "fuzz_client_identifier"} {
		if !slices.Contains(names, name) {
			t.Errorf("no binary is named %s: %q", name, names)
		}
	}
}
