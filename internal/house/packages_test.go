package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// goPackage is what the go command says about a package: only what these tests ask.
type goPackage struct {
	ImportPath   string
	Dir          string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// room is the package's path inside the module.
func (p goPackage) room() string { return strings.TrimPrefix(p.ImportPath, "sampan/") }

// root is the repository's folder.
func root(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.work")); err != nil {
		t.Fatalf("the repository's root is not where it was: %v", err)
	}
	return dir
}

// packages asks the go command for every package of the module in a folder of the repository.
func packages(t testing.TB, module string) []goPackage {
	t.Helper()
	list := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Imports,TestImports,XTestImports", "./...")
	list.Dir = filepath.Join(root(t), module)
	list.Env = append(os.Environ(), "GOWORK=off")
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var found []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, p)
	}
	if len(found) == 0 {
		t.Fatal("go list found no package")
	}
	return found
}

// isStandard reports whether an import path is of the standard library: its first element has no dot and
// is not this module. "C" is not a package: a library room must build without a C compiler.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") && first != "sampan" && first != "C"
}
