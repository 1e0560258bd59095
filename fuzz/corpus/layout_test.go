package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// taken takes bytes to pieces as a target of OSS-Fuzz does, for arguments of these types.
func taken(data []byte, kinds []string) []argument {
	args := make([]argument, len(kinds))
	next := func(n int) []byte {
		piece := append([]byte{}, data[:n]...)
		data = data[n:]
		return piece
	}
	var texts []int
	for i, kind := range kinds {
		args[i].kind = kind
		if args[i].fixed() {
			args[i].data = next(sized[kind])
		} else {
			texts = append(texts, i)
		}
	}
	shares := next(len(texts))
	sum := 0
	for _, share := range shares {
		sum += int(share)
	}
	total := len(data)
	for n, i := range texts {
		size := total / len(texts) // without any weight all get as much
		if sum > 0 {
			size = total * int(shares[n]) / sum
		}
		if n == len(texts)-1 {
			size = len(data)
		}
		args[i].data = next(size)
	}
	return args
}

// sent is what a target of OSS-Fuzz has of a seed.
func sent(t *testing.T, name, seed string) (args, got []argument) {
	t.Helper()
	args, err := parse(seed)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var kinds []string
	for _, a := range args {
		kinds = append(kinds, a.kind)
	}
	return args, taken(ossFuzz(args), kinds)
}

func TestTargetsOfOSSFuzzGetTheArgumentsOfTheSeeds(t *testing.T) {
	for _, target := range []string{
		"fuzz/FuzzConnection", "fuzz/codec/FuzzDecode", "fuzz/topics/FuzzTopicMatch", "fuzz/recovery/FuzzLogRecover",
		"fuzz/identity/FuzzPermission", "fuzz/codec/FuzzStreamSplit", "tlsconf/psk/FuzzInsider",
	} {
		for _, file := range seedsOf(t, target) {
			if filepath.Base(file) == "every-packet-in-threes" {
				continue // too long to be divided, see below
			}
			seed, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if args, got := sent(t, file, string(seed)); !reflect.DeepEqual(got, args) {
				t.Errorf("%s: %q became %q", file, args, got)
			}
		}
	}
	for _, seed := range []string{
		"[]byte(\"\")\nstring(\"\")",
		"string(\"a\")\nint16(-2)\n[]byte(\"\")\nbool(true)",
		"[]byte(\"\")\n[]byte(\"\")\n[]byte(\"abc\")",
		"[]byte(\"" + strings.Repeat("a", 1000) + "\")\n[]byte(\"\")",
		"uint64(18446744073709551615)",
	} {
		if args, got := sent(t, seed, "go test fuzz v1\n"+seed+"\n"); !reflect.DeepEqual(got, args) {
			t.Errorf("%q became %q", args, got)
		}
	}
}

// The shares of single bytes are not fine enough for one byte of a thousand. The beginning of what is long is
// worth more to a target than pieces that begin in the middle of each other.
func TestLongTextsAreCutAtTheirEnd(t *testing.T) {
	long := strings.Repeat("abc", 500)
	for _, c := range []struct{ seed, want string }{
		{"[]byte(\"\\x03\")\n[]byte(\"" + long + "\")", "\x03|" + long[:510]},
		{"[]byte(\"" + long + "\")\n[]byte(\"x\")", long[:255] + "|x"},
	} {
		_, got := sent(t, c.seed, "go test fuzz v1\n"+c.seed+"\n")
		if text := string(got[0].data) + "|" + string(got[1].data); text != c.want {
			t.Errorf("%q, want %q", text, c.want)
		}
	}
}

func TestPlainLeavesNumbersOut(t *testing.T) {
	args, err := parse("go test fuzz v1\nbyte('\\x01')\nstring(\"a/b\")\n[]byte(\"c\")\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := plain(args); string(got) != "a/bc" {
		t.Errorf("%q", got)
	}
}
