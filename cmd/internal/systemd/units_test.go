package systemd

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// systemd finds nothing to complain about in the units that come with the broker.
func TestUnitFiles(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze on this machine")
	}
	deploy := filepath.Join("..", "..", "..", "deploy")
	folder := t.TempDir()
	var units []string
	for _, name := range []string{"sampan.service", "sampan.socket"} {
		text, err := os.ReadFile(filepath.Join(deploy, name))
		if err != nil {
			t.Fatal(err)
		}
		// The binary need not be installed here.
		text = bytes.ReplaceAll(text, []byte("/usr/bin/sampan"), []byte("/bin/true"))
		unit := filepath.Join(folder, name)
		if err := os.WriteFile(unit, text, 0o600); err != nil {
			t.Fatal(err)
		}
		units = append(units, unit)
	}
	said, err := exec.Command(analyze, append([]string{"verify"}, units...)...).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze verify: %v\n%s", err, said)
	}
	for line := range strings.Lines(string(said)) {
		if strings.Contains(line, "sampan") { // others are of this machine's own units
			t.Error(line)
		}
	}
}
