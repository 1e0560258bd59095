package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"sampan/cmd/internal/address"
	"sampan/cmd/internal/server"
)

const deploy = "../../deploy"

// commandLine checks that a command line names a command, its flags and their values.
func commandLine(t *testing.T, words []string) {
	t.Helper()
	command, rest, err := root().Find(words)
	if err != nil || command == command.Root() {
		t.Fatalf("sampan %s: no such command: %v", strings.Join(words, " "), err)
	}
	if err := command.ParseFlags(rest); err != nil {
		t.Fatalf("sampan %s: %v", strings.Join(words, " "), err)
	}
	if err := command.ValidateArgs(command.Flags().Args()); err != nil {
		t.Fatalf("sampan %s: %v", strings.Join(words, " "), err)
	}
}

// settings of a unit or of a container file: the text behind each word at the beginning of a line.
func settingsOf(t *testing.T, file, separator string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deploy, file))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if name, value, ok := strings.Cut(line, separator); ok && !strings.HasPrefix(line, "#") {
			found[name] = append(found[name], value)
		}
	}
	return found
}

func TestServiceRunsWhatThereIs(t *testing.T) {
	service := settingsOf(t, "sampan.service", "=")
	for _, name := range []string{"ExecStart", "ExecStartPre"} {
		words := strings.Fields(service[name][0])
		if words[0] != "/usr/bin/sampan" {
			t.Errorf("%s runs %s", name, words[0])
		}
		commandLine(t, words[1:])
	}
	if service["Type"][0] != "notify" || service["ExecReload"] == nil || service["NoNewPrivileges"][0] != "yes" {
		t.Errorf("%v", service)
	}
	if user := settingsOf(t, "sampan.sysusers", " ")["u"]; len(user) != 1 || !strings.HasPrefix(user[0], service["User"][0]+" ") {
		t.Errorf("the service runs as %s, and the user is %s", service["User"], user)
	}
	socket := settingsOf(t, "sampan.socket", "=")
	s, _, problems, err := server.Read(pflag.NewFlagSet("", pflag.ContinueOnError), filepath.Join(deploy, "sampan.yaml"))
	if err != nil || len(problems) > 0 {
		t.Fatalf("%v, %v", problems, err)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	if u := s.Listen.URLs[0]; u.Inherited() != socket["FileDescriptorName"][0] || u.HostPort() != ":"+socket["ListenStream"][0] {
		t.Errorf("%s is not the socket %v", u, socket)
	}
	if s.Data != "/var/lib/"+service["StateDirectory"][0] {
		t.Errorf("data in %s", s.Data)
	}
}

// systemd itself reads the units.
func TestSystemdReadsTheUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("no systemd-analyze here")
	}
	dir := t.TempDir()
	for _, name := range []string{"sampan.service", "sampan.socket"} {
		text, err := os.ReadFile(filepath.Join(deploy, name))
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte("/usr/bin/sampan"), []byte("/bin/true")) // it wants a file that is there
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("systemd-analyze", "--man=no", "--recursive-errors=no", "verify", filepath.Join(dir, "sampan.service"), filepath.Join(dir, "sampan.socket")).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("sampan.")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// The container file needs no image to begin with, runs what there is, and not as root.
func TestContainerRunsWhatThereIs(t *testing.T) {
	file := settingsOf(t, "Containerfile", " ")
	list := func(name string) (words []string) {
		text := file[name][0]
		if err := json.Unmarshal([]byte(text[strings.IndexByte(text, '['):]), &words); err != nil {
			t.Fatalf("%s %s: %v", name, text, err)
		}
		return words
	}
	binary := strings.Fields(file["COPY"][0])[1]
	if file["FROM"][0] != "scratch" || len(file["FROM"]) != 1 || list("ENTRYPOINT")[0] != binary || len(file["RUN"]) > 0 {
		t.Errorf("%v", file)
	}
	if user := file["USER"][0]; user == "0" || strings.HasPrefix(user, "0:") || strings.HasPrefix(user, "root") {
		t.Errorf("runs as %s", user)
	}
	commandLine(t, append(list("ENTRYPOINT")[1:], list("CMD")...))
	health := list("HEALTHCHECK")
	if health[0] != binary {
		t.Errorf("the health check runs %s", health[0])
	}
	commandLine(t, health[1:])
	variables := map[string]string{}
	for _, line := range file["ENV"] {
		name, value, _ := strings.Cut(line, "=")
		variables[name] = value
	}
	if data := variables["SAMPAN_DATA"]; data == "" || list("VOLUME")[0] != data {
		t.Errorf("data in %q, volume %v", data, list("VOLUME"))
	}
	// Broker and check have to mean the same address, and only the variable is known to both. It must be one inside.
	var at address.HTTP
	if err := at.Set(variables["SAMPAN_HEALTH"]); err != nil || !strings.HasPrefix(at.HostPort(), "127.0.0.1:") || len(health) != 2 || health[1] != "health" {
		t.Errorf("health at %q, asked by %v: %v", variables["SAMPAN_HEALTH"], health, err)
	}
}
