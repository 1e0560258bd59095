package tlsconf

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Size limits of the files read; what is longer is not one of ours.
const (
	maxCertificateFile = 4 << 20
	maxCRLFile         = 64 << 20
)

// FileError says which file is at fault and what it was read as.
type FileError struct {
	Role string // "certificate", "key", "client CA", "CRL"
	File string
	Err  error
}

func (e *FileError) Error() string {
	return "tlsconf: " + e.Role + " file " + e.File + ": " + e.Err.Error()
}

func (e *FileError) Unwrap() error { return e.Err }

var (
	errEmptyFile = errors.New("is empty")
	errTooLong   = errors.New("is too long")
)

// read reads a whole file of at most limit bytes.
func read(role, file string, limit int64) ([]byte, error) {
	b, err := func() ([]byte, error) {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, limit+1))
		switch {
		case err != nil:
			return nil, err
		case len(b) == 0:
			return nil, errEmptyFile
		case int64(len(b)) > limit:
			return nil, fmt.Errorf("%w: more than %d bytes", errTooLong, limit)
		}
		return b, nil
	}()
	if err != nil {
		var path *os.PathError
		if errors.As(err, &path) {
			err = path.Err // the name is in the FileError
		}
		return nil, &FileError{role, file, err}
	}
	return b, nil
}

// stamp is what tells that a file has changed. A file is replaced by renaming
// as often as it is rewritten, so the inode counts too.
type stamp struct {
	info os.FileInfo // nil: it could not be looked at
}

func stampOf(file string) stamp {
	info, err := os.Stat(file)
	if err != nil {
		return stamp{}
	}
	return stamp{info}
}

func (s stamp) same(t stamp) bool {
	if s.info == nil || t.info == nil {
		return s.info == nil && t.info == nil
	}
	return os.SameFile(s.info, t.info) && s.info.Size() == t.info.Size() && s.info.ModTime().Equal(t.info.ModTime())
}
