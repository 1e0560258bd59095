package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sampan/cmd/internal/tour"
)

// Everything that the tutorial shows is run, in its order: the device with the official Node SDK as it comes
// from npm, the device in C with a stand-in for the C SDK that sends the SDK's bytes.
func TestTutorial(t *testing.T) {
	needPackages(t, "alibabacloud-iot-device-sdk")
	need(t, missingCommand("cc", "make")())
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(path)+":"+os.Getenv("PATH"))
	r := tour.New(t, "docs/tutorial.md")
	linkSDK(t, filepath.Join(r.Folder, "LinkSDK"))
	r.Commands["npm install alibabacloud-iot-device-sdk@"+pinned(t, "alibabacloud-iot-device-sdk")] = func() {
		if err := os.Symlink(nodeModules(), filepath.Join(r.Folder, "node_modules")); err != nil {
			t.Fatal(err)
		}
	}
	r.Commands["node device.js"] = func() { r.Device("node device.js", productKey, "dev2", len(sixteen)) }
	r.Commands["LinkSDK/output/sampan-demo"] = func() { r.Device("LinkSDK/output/sampan-demo", productKey, "dev1", 0) }
	r.Follow()
	if r.Saved("device.js") == "" || r.Saved("device.c") == "" {
		t.Error("the tutorial has no device.js or no device.c")
	}
}

// pinned is the version of an npm package that the tests use.
func pinned(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("node/package.json")
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Dependencies map[string]string }
	decode(t, string(text), &manifest)
	return manifest.Dependencies[name]
}

// linkSDK lays out a folder like that of the C SDK, with a stand-in for its library.
func linkSDK(t *testing.T, folder string) {
	t.Helper()
	if err := os.CopyFS(folder, os.DirFS("testdata/linksdk")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "demos"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "recorded.h"), []byte(recorded(t)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// recorded is what the C SDK sends and wants when it connects, in C.
func recorded(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../broker/platform/testdata/replay/connect.txt")
	if err != nil {
		t.Fatal(err)
	}
	header := fmt.Sprintf("#define PRODUCT_KEY %q\n#define DEVICE_NAME \"dev1\"\n#define DEVICE_SECRET \"ds-secret-1\"\n", productKey)
	names := []string{"CONNECT", "CONNACK", "PINGREQ", "PINGRESP"}
	for line := range strings.Lines(string(text)) {
		if len(names) == 0 || !strings.HasPrefix(line, "> ") && !strings.HasPrefix(line, "< ") {
			continue
		}
		packet, err := strconv.Unquote(strings.TrimSpace(line[2:]))
		if err != nil {
			t.Fatal(err)
		}
		header += "static const uint8_t " + names[0] + "[] = {"
		for _, b := range []byte(packet) {
			header += fmt.Sprintf("%d,", b)
		}
		header += "};\n"
		names = names[1:]
	}
	if len(names) > 0 {
		t.Fatalf("not recorded: %v", names)
	}
	return header
}
