package vfs_test

import (
	"os"
	"path/filepath"
	"testing"

	"sampan/session/wal/vfs"
)

// A directory is made with all that lead to it, and found again, by whatever name.
func TestDirIsMadeOrFound(t *testing.T) {
	base := t.TempDir()
	path := filepath.Join(base, "a", "b", "c")
	link := filepath.Join(base, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	for _, name := range []string{path, path, path + "/", link, filepath.Join(base, "a", "x", "..", "b", "c")} {
		fs, err := vfs.Dir(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f, err := fs.Open("file", true)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f.Close()
		if err := fs.SyncDir(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(path, "file")); err != nil {
		t.Error(err)
	}
	t.Chdir(path)
	if _, err := vfs.Dir("."); err != nil {
		t.Error(err)
	}
	if _, err := vfs.Dir(filepath.Join(path, "file")); err == nil {
		t.Error("a file was taken for a directory")
	}
}

// A directory below one that its user may not read can be used as before.
func TestDirBelowAnUnreadableOne(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everywhere")
	}
	above := filepath.Join(t.TempDir(), "above")
	path := filepath.Join(above, "data")
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(above, 0o100); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(above, 0o700)
	if _, err := vfs.Dir(path); err != nil {
		t.Error(err)
	}
}
