package clients

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// job is what a client is to do once: publish payloads, or subscribe and receive count messages. With
// neither it connects only, and receives what its session has for it.
type job struct {
	login
	Host      string   `json:"host"`
	Port      int      `json:"port"`
	Level     int      `json:"level"` // 3: MQTT 3.1, 4: 3.1.1
	Clean     bool     `json:"clean"`
	QoS       int      `json:"qos"`
	Topic     string   `json:"topic"`
	Publish   bool     `json:"publish"`
	Payloads  []string `json:"payloads"`
	Subscribe bool     `json:"subscribe"`
	Count     int      `json:"count"` // 0: leave as soon as the subscription stands
}

// tool is a client of somebody else's.
type tool struct {
	name    string
	missing func() string // what is not there; empty if nothing is missing
	// command makes the process of a job. It prints "subscribed QOS" and "message QOS TOPIC PAYLOAD".
	command func(j job) *exec.Cmd
}

var tools = []tool{
	{"mosquitto", missingCommand("mosquitto_pub", "mosquitto_sub"), mosquitto},
	{"paho-python", missingPaho, paho},
	{"mqttjs", missingNodePackage("mqtt"), mqttjs},
}

// need skips the test if something is missing, or fails where nothing may be.
func need(t *testing.T, missing string) {
	t.Helper()
	if missing == "" {
		return
	}
	if os.Getenv("SAMPAN_REQUIRE_TOOLS") == "1" {
		t.Fatalf("%s is missing, and SAMPAN_REQUIRE_TOOLS is set", missing)
	}
	t.Skipf("%s is missing; see `make clients` and .ci/run", missing)
}

func missingCommand(names ...string) func() string {
	return func() string {
		for _, name := range names {
			if _, err := exec.LookPath(name); err != nil {
				return name
			}
		}
		return ""
	}
}

// python is the interpreter that has Debian's packages, which need not be the first in PATH.
func python() string {
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(name, "-c", "import paho.mqtt.client").Run() == nil {
			return name
		}
	}
	return ""
}

func missingPaho() string {
	if python() == "" {
		return "python3-paho-mqtt"
	}
	return ""
}

// nodeModules is where `make clients` installs.
func nodeModules() string {
	dir, err := filepath.Abs("../../.cache/clients/node_modules")
	if err != nil {
		return ""
	}
	return dir
}

func missingNodePackage(name string) func() string {
	return func() string {
		if _, err := exec.LookPath("node"); err != nil {
			return "node"
		}
		if _, err := os.Stat(filepath.Join(nodeModules(), name, "package.json")); err != nil {
			return "npm's " + name
		}
		return ""
	}
}

// node runs a script of this folder.
func node(script string, job any) *exec.Cmd {
	argument, err := json.Marshal(job)
	if err != nil {
		panic(err)
	}
	command := exec.Command("node", filepath.Join("node", script), string(argument))
	command.Env = append(os.Environ(), "NODE_PATH="+nodeModules())
	return command
}

func mqttjs(j job) *exec.Cmd { return node("client.js", j) }

func paho(j job) *exec.Cmd {
	argument, err := json.Marshal(j)
	if err != nil {
		panic(err)
	}
	return exec.Command(python(), filepath.Join("python", "client.py"), string(argument))
}

// mosquitto runs mosquitto_pub or mosquitto_sub. Their own words are translated to those of the scripts, and
// stdbuf makes them come line by line.
func mosquitto(j job) *exec.Cmd {
	args := []string{"-h", j.Host, "-p", strconv.Itoa(j.Port), "-i", j.ClientID, "-u", j.Username, "-P", j.Password,
		"-V", map[int]string{3: "mqttv31", 4: "mqttv311"}[j.Level], "-q", strconv.Itoa(j.QoS), "-t", j.Topic}
	if j.Publish {
		// With -l each line of standard input is a message.
		command := exec.Command("sh", append([]string{"-c", `printf '%s\n' "$PAYLOADS" | mosquitto_pub -l "$@"`, "sh"}, args...)...)
		command.Env = append(os.Environ(), "PAYLOADS="+strings.Join(j.Payloads, "\n"))
		return command
	}
	if !j.Clean {
		args = append(args, "-c")
	}
	if j.Count == 0 {
		args = append(args, "-E") // ends when the subscription stands
	} else {
		args = append(args, "-C", strconv.Itoa(j.Count))
	}
	args = append(args, "-d", "-F", "message %q %t %p")
	return exec.Command("sh", append([]string{"-c",
		`stdbuf -oL mosquitto_sub "$@" | sed -u -e 's/^Subscribed (mid: [0-9]*): /subscribed /' -e '/^Client /d'`, "sh"}, args...)...)
}

// each runs a test for every tool, both versions and both QoS, side by side.
func each(t *testing.T, test func(t *testing.T, tool tool, level, qos int)) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts many processes; the binary in them has no race detector")
	}
	for _, tool := range tools {
		for _, level := range []int{3, 4} {
			for _, qos := range []int{0, 1} {
				version := map[int]string{3: "3.1", 4: "3.1.1"}[level]
				t.Run(fmt.Sprintf("%s/MQTT %s/QoS %d", tool.name, version, qos), func(t *testing.T) {
					need(t, tool.missing())
					t.Parallel()
					test(t, tool, level, qos)
				})
			}
		}
	}
}

// words are the lines of a client's output that begin with a word.
func (p *process) words(word string) []string {
	var found []string
	for line := range strings.SplitSeq(p.out.String(), "\n") {
		if strings.HasPrefix(line, word+" ") {
			found = append(found, line)
		}
	}
	return slices.Clip(found)
}
