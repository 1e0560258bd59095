package device

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sampan/session/wal"
)

func TestRegistryIsKeptOnDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "registry")
	r, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateProduct(ProductSpec{Key: "pk"}); err != nil {
		t.Fatal(err)
	}
	d, err := r.CreateDevice("pk", DeviceSpec{Name: "dev1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Activate(&d); err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateAccessKey("id", "secret", ""); err != nil {
		t.Fatal(err)
	}
	before := dump(r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"Close": r.Close(), "Checkpoint": r.Checkpoint(), "Delete": r.Delete("pk", "dev1"),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
	if diff := cmp.Diff(before, dump(r)); diff != "" {
		t.Errorf("looking up after Close:\n%s", diff)
	}
	if r, err = Open(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if diff := cmp.Diff(before, dump(r)); diff != "" {
		t.Errorf("reopened:\n%s", diff)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory with the secrets: %v, %v", info.Mode(), err)
	}
}

func TestRegistryIsOpenOnce(t *testing.T) {
	dir := t.TempDir()
	r, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(dir, Options{})
	if !errors.Is(err, ErrInUse) || !errors.Is(err, wal.ErrLocked) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "running broker") {
		t.Errorf("second Open: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err = Open(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	r.Close()
}

func TestForeignLogIsNotOpened(t *testing.T) {
	dir := t.TempDir()
	l, err := wal.Open(dir, wal.Options{App: "something else"})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, wal.ErrForeign) {
		t.Errorf("%v", err)
	}
}

// A log that was cut anywhere, as by a power cut, opens with what was there up to some change; and with
// nothing missing if the cut is behind the last change that was waited for.
func TestTornLog(t *testing.T) {
	dir := t.TempDir()
	r, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	states := []contents{dump(r)}
	sizes := []int64{0}
	file := ""
	note := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.wal"))
		if err != nil || len(files) != 1 {
			t.Fatalf("files %v, %v", files, err)
		}
		file = files[0]
		states = append(states, dump(r))
		sizes = append(sizes, int64(r.log.(*wal.Log).End().Offset()))
	}
	_, err = r.CreateProduct(ProductSpec{Key: "pk"})
	note(err)
	for i := range 8 {
		_, err = r.CreateDevice("pk", DeviceSpec{Name: fmt.Sprintf("dev-%d", i)})
		note(err)
	}
	_, err = r.Disable("pk", "dev-3")
	note(err)
	note(r.Delete("pk", "dev-4"))
	_, err = r.CreateCategory("pk", "user/x", Subscribe, "")
	note(err)

	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const step = 8 // finer than any disk's sector
	for cut := (sizes[1] - 40) &^ (step - 1); cut <= sizes[len(sizes)-1]; cut += step {
		copied := t.TempDir()
		if err := os.WriteFile(filepath.Join(copied, filepath.Base(file)), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		torn, err := Open(copied, Options{})
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		kept := 0 // the last change that lies wholly before the cut
		for i, size := range sizes {
			if size <= cut {
				kept = i
			}
		}
		diff := cmp.Diff(states[kept], dump(torn))
		if diff != "" && kept+1 < len(states) && cmp.Equal(states[kept+1], dump(torn)) {
			diff = "" // what was cut off is not needed to read the last record: padding, or the log's own mark
		}
		if diff != "" {
			t.Fatalf("cut at %d, behind change %d of %d:\n%s", cut, kept, len(states)-1, diff)
		}
		// It goes on from there.
		if _, err := torn.CreateAccessKey("after", "", ""); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if err := torn.Close(); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

// A process that is killed loses nothing of what it was told is done. The test runs itself as that process.
func TestKilledProcessLosesNothing(t *testing.T) {
	if dir := os.Getenv("SAMPAN_TEST_REGISTRY"); dir != "" {
		changeUntilKilled(dir)
		return
	}
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	done := map[string]string{} // device name to secret
	for round := range 3 {
		child := exec.Command(os.Args[0], "-test.run=^TestKilledProcessLosesNothing$")
		child.Env = append(os.Environ(), "SAMPAN_TEST_REGISTRY="+dir)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n < 300 && lines.Scan(); n++ {
			name, secret, found := strings.Cut(lines.Text(), " ")
			if !found {
				t.Fatalf("child: %s", lines.Text())
			}
			done[name] = secret
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		rest, _ := io.ReadAll(out)
		for line := range strings.Lines(string(rest)) {
			if name, secret, found := strings.Cut(strings.TrimSuffix(line, "\n"), " "); found && strings.HasSuffix(line, "\n") {
				done[name] = secret
			}
		}
		_ = child.Wait() // it was killed

		r, err := Open(dir, Options{})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if len(done) < 300*(round+1) {
			t.Fatalf("round %d: the child made only %d devices", round, len(done))
		}
		for name, secret := range done {
			d, err := r.Device("pk", name)
			if err != nil || string(d.Secret()) != secret {
				t.Fatalf("round %d: %s was done, and is %v", round, name, err)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// changeUntilKilled makes devices, says which ones are done, and rewrites the log all the time.
func changeUntilKilled(dir string) {
	r, err := Open(dir, Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if _, err := r.CreateProduct(ProductSpec{Key: "pk"}); err != nil && !errors.Is(err, ErrExists) {
		fmt.Println(err)
		os.Exit(1)
	}
	go func() {
		for r.Checkpoint() == nil {
		}
	}()
	var printing sync.Mutex
	for range 4 {
		go func() {
			for {
				d, err := r.CreateDevice("pk", DeviceSpec{})
				if err != nil {
					os.Exit(1)
				}
				printing.Lock()
				fmt.Printf("%s %s\n", d.Name(), d.Secret())
				printing.Unlock()
			}
		}()
	}
	select {}
}

// The log does not grow without bound: it is rewritten in the background when most of it is superseded, and
// then holds the same.
func TestLogIsRewritten(t *testing.T) {
	dir := t.TempDir()
	r, err := Open(dir, Options{Level: wal.OS})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateProduct(ProductSpec{Key: "pk"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateDevices("pk", slices.Repeat([]DeviceSpec{{}}, 500)); err != nil {
		t.Fatal(err)
	}
	label := strings.Repeat("n", 200)
	for i := range 30 { // 3,000,000 bytes that are superseded at once
		for d := range r.Devices("pk", 0) {
			if _, err := r.SetNickname("pk", string(d.Name()), fmt.Sprint(i, label)); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.background.Wait()
	s := r.Stats()
	if s.LogEntries > 12_000 || s.Failure != nil || s.Devices != 500 {
		t.Errorf("%+v", s)
	}
	before := dump(r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err = Open(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if diff := cmp.Diff(before, dump(r)); diff != "" {
		t.Errorf("reopened:\n%s", diff)
	}
}

// After the log has failed nothing is changed any more, and nobody is told that something was.
func TestFailedLog(t *testing.T) {
	l := new(memoryLog)
	r, err := open(l, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateProduct(ProductSpec{Key: "pk"}); err != nil {
		t.Fatal(err)
	}
	d, err := r.CreateDevice("pk", DeviceSpec{Name: "dev1"})
	if err != nil {
		t.Fatal(err)
	}
	r.CreateAccessKey("id", "", "")
	before := dump(r)
	broken := errors.New("disk is gone")
	l.failing = broken
	r.Watch(func(c Change) { t.Errorf("%s", c.Kind) })
	on := true
	attempts := map[string]func() error{
		"product":        func() error { _, err := r.CreateProduct(ProductSpec{}); return err },
		"change product": func() error { _, err := r.ChangeProduct("pk", ProductPatch{DynamicRegistration: &on}); return err },
		"authorities":    func() error { _, err := r.SetAuthorities("pk", nil); return err },
		"category":       func() error { _, err := r.CreateCategory("pk", "x", Publish, ""); return err },
		"device":         func() error { _, err := r.CreateDevice("pk", DeviceSpec{}); return err },
		"disable":        func() error { _, err := r.Disable("pk", "dev1"); return err },
		"nickname":       func() error { _, err := r.SetNickname("pk", "dev1", "n"); return err },
		"activate":       func() error { return r.Activate(&d) },
		"delete":         func() error { return r.Delete("pk", "dev1") },
		"access key":     func() error { _, err := r.CreateAccessKey("", "", ""); return err },
		"no access key":  func() error { return r.DeleteAccessKey("id") },
		"import": func() error {
			results, err := r.Import([]Imported{{"pk", "dev2", "s", ""}, {"pk2", "dev1", "s", ""}, {"pk", "dev1", "s", "s"}}, true)
			for _, result := range results {
				if !errors.Is(result.Err, broken) {
					t.Errorf("%+v", result)
				}
			}
			return err
		},
		"checkpoint": r.Checkpoint,
	}
	for what, attempt := range attempts {
		if err := attempt(); !errors.Is(err, broken) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if diff := cmp.Diff(before, dump(r)); diff != "" {
		t.Error(diff)
	}
	if !errors.Is(r.Stats().Failure, broken) {
		t.Errorf("%+v", r.Stats())
	}
}

// Records that have their checksum and no meaning are an error that says where.
func TestDamagedRecords(t *testing.T) {
	device := appendDevice(nil, "pk", 0, 0, []byte("dev1"), (&body{secret: "s"}).appendTo(nil))
	product := appendProduct(nil, &Product{Key: "pk"}, 0, 0)
	for what, entries := range map[string][][]byte{
		"empty":                    {{}},
		"unknown kind":             {{99}},
		"product":                  {product[:len(product)-1]},
		"product without a key":    {{entryProduct}},
		"device":                   {product, device[:len(device)-2]},
		"device with a large body": {product, append(slices.Clone(device[:len(device)-3]), 200, 's', 0)},
		"state":                    {product, device, {entryDeviceState, 2, 'p', 'k'}},
		"two devices, one number":  {product, device, appendDevice(nil, "pk", 0, 0, []byte("dev2"), (&body{secret: "s"}).appendTo(nil))},
		"number out of range":      {product, appendDevice(nil, "pk", 1<<31, 0, []byte("dev2"), (&body{secret: "s"}).appendTo(nil))},
		"access key":               {{entryAccessKey, fieldID, 9, 'x'}},
	} {
		_, err := open(&memoryLog{entries: entries}, Options{})
		var damaged *Damaged
		if !errors.As(err, &damaged) || damaged.Pos != wal.Pos(len(entries)) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Fields that a later version may add are stepped over.
	later := slices.Concat(product, appendField(nil, 99, "something new"), appendField(nil, fieldName, "name"))
	r, err := open(&memoryLog{entries: [][]byte{later, slices.Concat(device, appendField(nil, 99, "new"))}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := r.Product("pk"); err != nil || p.Name != "name" {
		t.Errorf("%+v %v", p, err)
	}
	if _, err := r.Device("pk", "dev1"); err != nil {
		t.Error(err)
	}
}
