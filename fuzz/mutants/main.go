// Command mutants puts known bugs into copies of the broker and looks with the session target for a script
// that shows each of them: go run ./fuzz/mutants, from the top of the repository (make mutants). It tells how
// long that took, and prints a table in Markdown. Its exit status is 1 if a bug was not found.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

var (
	hunt = flag.Duration("hunt", time.Minute, "how long to look for each bug")
	only = flag.String("only", "", "a part of the names of the bugs to look for")
)

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run() error {
	table, err := os.ReadFile("fuzz/mutants/table.txt")
	if err != nil {
		return err
	}
	mutants, err := parse(string(table))
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sampan-mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// What is committed, so that half an edit does not count as a bug.
	archive := exec.Command("git", "archive", "HEAD", "go.mod", "go.sum", "packet", "topictree", "session", "broker", "tlsconf", "internal", "fuzz")
	tree, err := archive.Output()
	if err != nil {
		return fmt.Errorf("git archive: %w", err)
	}
	unpack := exec.Command("tar", "-x", "-C", dir)
	unpack.Stdin = bytes.NewReader(tree)
	if out, err := unpack.CombinedOutput(); err != nil {
		return fmt.Errorf("tar: %w: %s", err, out)
	}

	if err := sound(dir); err != nil {
		return err
	}
	fmt.Println("| bug | what is wrong | found by | scripts | time | shortest |")
	fmt.Println("|---|---|---|---|---|---|")
	missed, count := 0, 0
	for _, m := range mutants {
		if !strings.Contains(m.Name, *only) {
			continue
		}
		count++
		found, err := look(dir, m)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", m.Name, err)
		}
		if found == "" {
			missed++
			found = fmt.Sprintf("**not found** | | %v | ", *hunt)
		}
		fmt.Printf("| %s | %s | %s |\n", m.Name, m.Wrong, found)
	}
	fmt.Fprintf(os.Stderr, "%d of %d found\n", count-missed, count)
	if missed > 0 {
		return fmt.Errorf("%d bugs were not found", missed)
	}
	return nil
}

// sound reports a tree that fails without a bug of ours: then every bug would seem to be found.
func sound(dir string) error {
	binary, err := build(dir)
	if err != nil {
		return err
	}
	if out, err := session(dir, binary, "^TestSession(Fixed|Long|Scripts)$", 0); err != nil {
		return fmt.Errorf("the committed tree fails without any bug of the table, so nothing can be told from a failure:\n%s", out)
	}
	return nil
}

// build makes the test binary of the session target.
func build(dir string) (binary string, err error) {
	binary = filepath.Join(dir, "session.test")
	build := exec.Command("go", "test", "-c", "-o", binary, "./fuzz")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("it does not compile: %s", out)
	}
	return binary, nil
}

// look builds a mutant and hunts for it.
func look(dir string, m *mutant) (string, error) {
	restore, err := m.apply(dir)
	if err != nil {
		return "", err
	}
	defer restore()
	binary, err := build(dir)
	if err != nil {
		return "", err
	}
	begin := time.Now()
	out, err := session(dir, binary, "^TestSessionFixed$", *hunt)
	if err == nil { // what is too long, or too rare, to be come upon
		begin = time.Now()
		out, err = session(dir, binary, "^TestSession(Long|Scripts)$", *hunt)
	}
	if err == nil {
		return "", nil
	}
	if c := caught.FindSubmatch(out); c != nil {
		rule := "the broker's own check"
		if r := ruleID.FindSubmatch(out); r != nil {
			rule = string(r[1])
		}
		return fmt.Sprintf("%s | %s | %s | %s steps", rule, c[1], c[2], c[3]), nil
	}
	took := time.Since(begin).Round(time.Millisecond)
	if w := written.FindSubmatch(out); w != nil {
		return fmt.Sprintf("%s | 1 | %v | ", strings.ReplaceAll(string(w[1]), "_", " "), took), nil
	}
	return fmt.Sprintf("%s | | %v | ", ended(out), took), nil
}

// ended says how a run came to its end that no script is to be blamed for.
func ended(out []byte) string {
	test := ""
	if all := running.FindAllSubmatch(out, -1); all != nil {
		test = string(all[len(all)-1][1])
	}
	if how := aborted.Find(out); how != nil {
		return fmt.Sprintf("%s, %.80s", test, strings.ReplaceAll(string(how), "|", "/"))
	}
	return test + ", which fails"
}

// session runs tests of the session target.
func session(dir, binary, tests string, hunt time.Duration) ([]byte, error) {
	// The slowest bug to show is a goroutine that never ends: then the run stops at its time limit.
	test := exec.Command(binary, "-test.run="+tests, "-test.failfast", "-test.v", "-test.timeout="+(2*hunt+time.Minute).String(), "-hunt="+hunt.String())
	test.Dir = filepath.Join(dir, "fuzz")
	return test.CombinedOutput()
}

var (
	written = regexp.MustCompile(`--- FAIL: (TestSession\w+/\S+)`)
	caught  = regexp.MustCompile(`caught after (\d+) scripts, (\S+), in (\d+) steps`)
	running = regexp.MustCompile(`(?m)^=== RUN +(\S+)`)
	aborted = regexp.MustCompile(`(?m)^(panic: .*|fatal error: .*|WARNING: DATA RACE)`)
	ruleID  = regexp.MustCompile(`: \[([^\]]+)\] connection`)
)
