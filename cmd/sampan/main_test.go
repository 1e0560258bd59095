package main

import (
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampan/cmd/internal/cli"
)

// The tests run the binary as a user does, by scripts in testdata/script. The test binary itself is the
// sampan of the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sampan": main})
}

func TestScripts(t *testing.T) {
	commands["certificate"] = certificate(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                commands,
		Setup: func(env *testscript.Env) error {
			running := &processes{}
			env.Values[processesKey{}] = running
			env.Defer(running.killAll)
			return nil
		},
	})
}

// walk calls f for a command and everything below it.
func walk(command *cobra.Command, f func(*cobra.Command)) {
	f(command)
	for _, child := range command.Commands() {
		walk(child, f)
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	walk(root(), func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || c.HasParent() && c.Short != strings.ToLower(c.Short[:1])+c.Short[1:] {
			t.Errorf("%s: the short description %q is a phrase without a full stop", c.CommandPath(), c.Short)
		}
		if c.Example == "" && !c.HasSubCommands() {
			t.Errorf("%s has no example", c.CommandPath())
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s says nothing about itself", c.CommandPath(), f.Name)
			}
		})
	})
}

// An example that does not parse is worse than none.
func TestExamplesParse(t *testing.T) {
	walk(root(), func(c *cobra.Command) {
		for line := range strings.SplitSeq(c.Example, "\n") {
			at := strings.Index(line, "sampan ")
			if strings.HasPrefix(line, "#") || at < 0 {
				continue
			}
			words, err := shellWords(line[at:])
			if err != nil {
				t.Errorf("%s: %q: %v", c.CommandPath(), line, err)
				continue
			}
			tree := root()
			cli.Prepare(tree)
			target, args, err := tree.Find(words[1:])
			if err != nil {
				t.Errorf("%s: %q: %v", c.CommandPath(), line, err)
				continue
			}
			if err := target.ParseFlags(args); err != nil {
				t.Errorf("%s: %q: %v", c.CommandPath(), line, err)
				continue
			}
			if err := target.ValidateArgs(target.Flags().Args()); err != nil {
				t.Errorf("%s: %q: %v", c.CommandPath(), line, err)
			}
			if c.Runnable() && !c.HasSubCommands() && target.CommandPath() != c.CommandPath() {
				t.Errorf("%s: %q is an example of %s", c.CommandPath(), line, target.CommandPath())
			}
		}
	})
}

func TestVersionIsInTheChangelog(t *testing.T) {
	changelog, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	heading := "\n## " + version
	if strings.HasSuffix(version, "-dev") {
		heading = "\n## Unreleased"
	}
	if !strings.Contains(string(changelog), heading) {
		t.Errorf("CHANGELOG.md has no heading %q", strings.TrimSpace(heading))
	}
}
