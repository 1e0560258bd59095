package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
)

// ErrLocked is returned by FS.Lock for a directory that is in use.
var ErrLocked = errors.New("the directory is in use by another process")

// lockName is the file whose lock stands for the directory. It stays behind, empty.
const lockName = "lock"

// Dir returns a directory of the operating system, which is made if it does not exist, so that it survives a
// power cut.
func Dir(path string) (FS, error) {
	if err := makeDir(filepath.Clean(path)); err != nil {
		return nil, err
	}
	return &dir{path: path}, nil
}

// makeDir makes a directory, and those above it that do not exist, one after the other: each is synced into its
// parent before the next one is made. One that exists is synced too: who made it may have been killed before that,
// and it is the only one of its path which that can be true of.
func makeDir(path string) error {
	_, err := os.Stat(path)
	exists := !errors.Is(err, fs.ErrNotExist)
	if parent := filepath.Dir(path); !exists && parent != path {
		if err := makeDir(parent); err != nil {
			return err
		}
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	err = syncPath(path + "/..") // where path is in truth, if it is a link
	if exists && cannotSync(err) {
		return nil
	}
	return err
}

// cannotSync reports whether a directory that others have made is in one that this process may not read, or that
// the file system, being read-only, knows no sync for: that is a place for a mount point, say, and was prepared by
// somebody else.
func cannotSync(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EINVAL)
}

// ReadDir returns a directory of the operating system, which must exist.
func ReadDir(path string) (FS, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a directory", path)
	}
	return &dir{path: path}, nil
}

type dir struct {
	path string
	held atomic.Pointer[os.File] // the directory, open while it is locked; or nil
}

func (d *dir) Path(name string) string { return filepath.Join(d.path, name) }

func (d *dir) List() ([]string, error) {
	f, err := os.Open(d.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

func (d *dir) Open(name string, create bool) (File, error) {
	flag := os.O_RDWR
	if create {
		flag |= os.O_CREATE
	}
	return open(d.Path(name), flag)
}

func (d *dir) OpenRead(name string) (File, error) { return open(d.Path(name), os.O_RDONLY) }

func (d *dir) Rename(from, to string) error { return os.Rename(d.Path(from), d.Path(to)) }

func (d *dir) Remove(name string) error { return os.Remove(d.Path(name)) }

// SyncDir needs no descriptor while the directory is locked: a log that could not sync its directory would have
// failed, and a process that is short of descriptors for a moment must not cost it that.
func (d *dir) SyncDir() error {
	if f := d.held.Load(); f != nil {
		if err := syncDir(f); !errors.Is(err, os.ErrClosed) {
			return err
		}
	}
	return syncPath(d.path)
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = syncDir(f)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

func (d *dir) Lock() (io.Closer, error) {
	f, err := os.OpenFile(d.Path(lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", d.path, err)
	}
	held, err := os.Open(d.path)
	if err != nil {
		f.Close()
		return nil, err
	}
	d.held.Store(held)
	return &locked{d, f, held}, nil
}

// locked is a directory's lock.
type locked struct {
	d         *dir
	lock, dir *os.File
}

func (l *locked) Close() error {
	l.d.held.CompareAndSwap(l.dir, nil)
	err := l.dir.Close()
	if e := l.lock.Close(); err == nil {
		err = e
	}
	return err
}

// osFile is a file of the operating system.
type osFile struct{ *os.File }

func open(path string, flag int) (File, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f osFile) Sync() error { return syncData(f.File) }
