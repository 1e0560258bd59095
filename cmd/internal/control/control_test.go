package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sampan/broker/device"
)

var quiet = slog.New(slog.DiscardHandler)

// both runs a test on a data directory that nobody uses, and on one where a broker's socket answers.
func both(t *testing.T, test func(t *testing.T, c Caller)) {
	t.Run("directory", func(t *testing.T) {
		c, err := OpenNew(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if _, here := c.(*local); !here {
			t.Fatalf("nobody listens, and yet the caller is a %T", c)
		}
		test(t, c)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("socket", func(t *testing.T) {
		data := t.TempDir()
		serve(t, data)
		c, err := Open(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		if _, there := c.(*remote); !there {
			t.Fatalf("a broker listens, and yet the caller is a %T", c)
		}
		test(t, c)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func serve(t *testing.T, data string) {
	t.Helper()
	registry, err := device.Open(Registry(data), device.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server, err := Serve(data, &Backend{Registry: registry}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Close()
		if err := registry.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestOperationsAreTheSameHereAndThere(t *testing.T) {
	both(t, func(t *testing.T, c Caller) {
		ctx := t.Context()
		p, err := CreateProduct(ctx, c, NewProduct{ProductKey: "pk", ProductSecret: "ps", Node: "gateway", Format: "raw", Auth: "x509"})
		if err != nil {
			t.Fatal(err)
		}
		if p.ProductKey != "pk" || p.ProductSecret != "ps" || p.Node != "gateway" || p.Format != "raw" || p.Auth != "x509" || p.Created.IsZero() {
			t.Errorf("made %+v", p)
		}
		if _, err := CreateProduct(ctx, c, NewProduct{ProductKey: "pk"}); err == nil || !strings.Contains(err.Error(), "exists already") {
			t.Errorf("made twice: %v", err)
		}
		if _, err := CreateProduct(ctx, c, NewProduct{Auth: "handshake"}); err == nil {
			t.Error("an unknown kind of authentication was taken")
		}
		made, err := CreateDevices(ctx, c, NewDevices{ProductKey: "pk", Names: []string{"dev1"}, Secret: "s1", Nickname: "n"})
		if err != nil || len(made) != 1 || made[0].DeviceSecret != "s1" || made[0].Nickname != "n" {
			t.Fatalf("made %+v, %v", made, err)
		}
		shown, err := ShowDevice(ctx, c, DeviceName{"pk", "dev1"})
		if diff := cmp.Diff(made[0], shown); err != nil || diff != "" {
			t.Errorf("shown: %v (-made +shown)\n%s", err, diff)
		}
		if d, err := DisableDevice(ctx, c, DeviceName{"pk", "dev1"}); err != nil || d.Status != "disabled" {
			t.Errorf("disabled: %+v, %v", d, err)
		}
		if d, err := EnableDevice(ctx, c, DeviceName{"pk", "dev1"}); err != nil || d.Status == "disabled" {
			t.Errorf("enabled: %+v, %v", d, err)
		}
		if _, err := ResetDevice(ctx, c, DeviceName{"pk", "dev1"}); err != nil {
			t.Error(err)
		}
		topic, err := CreateTopic(ctx, c, NewTopic{ProductKey: "pk", Topic: "user/x", Operation: "SUB"})
		if err != nil || topic.Topic != "/pk/${deviceName}/user/x" || topic.Operation != "SUB" {
			t.Errorf("topic %+v, %v", topic, err)
		}
		before, err := ListTopics(ctx, c, "pk")
		if err != nil {
			t.Error(err)
		}
		if err := DeleteTopic(ctx, c, "pk", topic.ID); err != nil {
			t.Error(err)
		}
		if after, err := ListTopics(ctx, c, "pk"); err != nil || len(after) != len(before)-1 {
			t.Errorf("%d topics after %d, %v", len(after), len(before), err)
		}
		key, err := CreateAccessKey(ctx, c, NewAccessKey{ID: "testid", Secret: "testsecret"})
		if err != nil || key.ID != "testid" || key.Secret != "testsecret" {
			t.Errorf("key %+v, %v", key, err)
		}
		if keys, err := ListAccessKeys(ctx, c); err != nil || len(keys) != 1 {
			t.Errorf("keys %+v, %v", keys, err)
		}
		if err := DeleteDevice(ctx, c, DeviceName{"pk", "dev1"}); err != nil {
			t.Error(err)
		}
		for name, err := range map[string]error{
			"show a device":  second(ShowDevice(ctx, c, DeviceName{"pk", "dev1"})),
			"disable":        second(DisableDevice(ctx, c, DeviceName{"pk", "dev1"})),
			"delete":         DeleteDevice(ctx, c, DeviceName{"pk", "dev1"}),
			"show a product": second(ShowProduct(ctx, c, "none")),
			"list devices":   ListDevices(ctx, c, "none", nil),
			"list topics":    second(ListTopics(ctx, c, "none")),
		} {
			if err == nil || !strings.Contains(err.Error(), "no such") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := RRPC(ctx, c, Call{ProductKey: "pk", DeviceName: "dev1"}); err == nil || !strings.HasPrefix(err.Error(), ErrNotRunning.Error()) {
			t.Errorf("RRPC without a broker: %v", err)
		}
		if products, err := ListProducts(ctx, c); err != nil || len(products) != 1 || products[0].Devices != 0 {
			t.Errorf("products %+v, %v", products, err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestListsAreLongerThanAPage(t *testing.T) {
	both(t, func(t *testing.T, c Caller) {
		if _, err := CreateProduct(t.Context(), c, NewProduct{ProductKey: "pk"}); err != nil {
			t.Fatal(err)
		}
		const n = 2*pageSize + 1
		if _, err := CreateDevices(t.Context(), c, NewDevices{ProductKey: "pk", Count: n}); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		if err := ListDevices(t.Context(), c, "pk", func(d Device) error {
			seen[d.DeviceName] = true
			return nil
		}); err != nil || len(seen) != n {
			t.Errorf("listed %d devices of %d, %v", len(seen), n, err)
		}
		enough := errors.New("enough")
		if err := ListDevices(t.Context(), c, "pk", func(Device) error { return enough }); err != enough {
			t.Errorf("the callback's error: %v", err)
		}
	})
	if _, err := CreateDevices(t.Context(), &local{}, NewDevices{ProductKey: "pk", Count: mostDevices + 1}); err == nil || !strings.Contains(err.Error(), "import") {
		t.Errorf("too many at once: %v", err)
	}
}

func TestImportTravelsInParts(t *testing.T) {
	defer func(before int) { partBytes = before }(partBytes)
	partBytes = 16 << 10
	for _, heading := range []string{"", "deviceName,productKey,deviceSecret\n", "\xef\xbb\xbf\n \ndevice_name,Product Key,deviceSecret\n"} {
		both(t, func(t *testing.T, c Caller) {
			var file strings.Builder
			file.WriteString(heading)
			line := strings.Count(heading, "\n")
			const n = 600 // some 40 KB
			badLine := 0
			for i := range n {
				line++
				pk, dn := "pk", fmt.Sprintf("device-%06d-%s", i, strings.Repeat("x", 20))
				secret := strings.Repeat("s", 32)
				if i == n-5 {
					secret, badLine = "", line
				}
				if heading == "" {
					fmt.Fprintf(&file, "%s,%s,%s\n", pk, dn, secret)
				} else {
					fmt.Fprintf(&file, "%s,%s,%s\n", dn, pk, secret)
				}
			}
			text := strings.TrimSuffix(file.String(), "\n") // the last line needs no end
			if len(text) < 2*partBytes {
				t.Fatalf("the file of %d bytes is one part", len(text))
			}
			report, err := Import(t.Context(), c, strings.NewReader(text), false)
			if err != nil {
				t.Fatal(err)
			}
			if report.Lines != n || report.Added != n-1 || report.Failed != 1 || len(report.Problems) != 1 || report.Problems[0].Line != badLine {
				t.Errorf("report %+v, want %d added and line %d failed", report, n-1, badLine)
			}
			if again, err := Import(t.Context(), c, strings.NewReader(text), false); err != nil || again.Unchanged != n-1 {
				t.Errorf("again: %+v, %v", again, err)
			}
		})
	}
	c, err := OpenNew(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if report, err := Import(t.Context(), c, strings.NewReader(""), false); err != nil || report.Lines != 0 {
		t.Errorf("an empty file: %+v, %v", report, err)
	}
}

// waiting replaces what Open does between two looks at a directory that is in use.
func waiting(t *testing.T, do func(context.Context) error) {
	before := wait
	wait = do
	t.Cleanup(func() { wait = before })
}

// A broker that is starting has locked its directory and does not answer yet; neither does one that is ending.
// A command that comes then waits for either.
func TestACommandWaitsForABrokerThatStartsOrEnds(t *testing.T) {
	data := t.TempDir()
	registry, err := device.Open(Registry(data), device.Options{})
	if err != nil {
		t.Fatal(err)
	}
	waits := 0
	var server *Server
	waiting(t, func(context.Context) error {
		if waits++; waits == 3 {
			if server, err = Serve(data, &Backend{Registry: registry}, quiet); err != nil {
				t.Fatal(err)
			}
		}
		return nil
	})
	c, err := Open(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	if _, there := c.(*remote); !there || waits != 3 {
		t.Errorf("after %d looks, the caller is a %T", waits, c)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}

	server.Close()
	waits = 0
	waiting(t, func(context.Context) error {
		if waits++; waits == 2 {
			return registry.Close()
		}
		return nil
	})
	if c, err = Open(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	if _, here := c.(*local); !here || waits != 2 {
		t.Errorf("after %d looks, the caller is a %T", waits, c)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestADirectoryInUseSaysSo(t *testing.T) {
	waiting(t, func(context.Context) error { return context.DeadlineExceeded })
	data := t.TempDir()
	registry, err := device.Open(Registry(data), device.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	if _, err := Open(t.Context(), data); !errors.Is(err, device.ErrInUse) || !strings.Contains(err.Error(), "another process uses "+data) {
		t.Errorf("opened twice: %v", err)
	}
	// A socket that a killed process left behind is nobody.
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(data, socketName), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	if _, err := Open(t.Context(), data); !errors.Is(err, device.ErrInUse) {
		t.Errorf("with a stale socket: %v", err)
	}
	server, err := Serve(data, &Backend{Registry: registry}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	info, err := os.Stat(filepath.Join(data, socketName))
	if err != nil || info.Mode().Perm() != 0o600 || info.Mode().Type() != fs.ModeSocket {
		t.Errorf("the socket: %v, %v", info.Mode(), err)
	}
}

func TestADirectoryMayHaveALongName(t *testing.T) {
	data := filepath.Join(t.TempDir(), strings.Repeat("x", 100), strings.Repeat("y", 100))
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Run("running", func(t *testing.T) {
		serve(t, data)
		c, err := Open(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		if _, there := c.(*remote); !there {
			t.Errorf("the caller is a %T", c)
		}
		if _, err := CreateProduct(t.Context(), c, NewProduct{ProductKey: "pk"}); err != nil {
			t.Error(err)
		}
		c.Close()
	})
	c, err := Open(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, here := c.(*local); !here {
		t.Errorf("after the broker has ended the caller is a %T", c)
	}
	if _, err := os.Lstat(filepath.Join(data, socketName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestTheSocketRefusesWhatItDoesNotKnow(t *testing.T) {
	data := t.TempDir()
	serve(t, data)
	c, err := dialSocket(context.Background(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.call(t.Context(), "frobnicate", []byte("{}")); err == nil || !strings.Contains(err.Error(), `does not know "frobnicate"`) {
		t.Errorf("an unknown operation: %v", err)
	}
	if _, err := c.call(t.Context(), "product.show", []byte("[")); err == nil || !strings.Contains(err.Error(), "the parameters of product.show") {
		t.Errorf("bad parameters: %v", err)
	}
	if _, err := c.call(t.Context(), "product.show", make([]byte, largest+1)); err == nil {
		t.Error("a request beyond all bounds was read")
	}
}

// A name that was mistyped must not become a directory, only because somebody looked something up there.
func TestOnlyWhoMakesSomethingMakesADirectory(t *testing.T) {
	folder := t.TempDir()
	missing := filepath.Join(folder, "typo")
	if _, err := Open(t.Context(), missing); err == nil || !strings.Contains(err.Error(), "there is no data directory at "+missing) {
		t.Errorf("no directory: %v", err)
	}
	if _, err := Open(t.Context(), folder); err == nil || !strings.Contains(err.Error(), "there are no products and devices in "+folder) {
		t.Errorf("no registry: %v", err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v", entries, err)
	}
	c, err := OpenNew(t.Context(), missing)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if c, err = Open(t.Context(), missing); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
