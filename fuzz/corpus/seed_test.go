package main

import "testing"

func TestSeedsAreRead(t *testing.T) {
	for value, want := range map[string]string{
		`[]byte("\x10\x00")`: "\x10\x00",
		`[]byte("(a)")`:      "(a)",
		`string("a/b")`:      "a/b",
		`bool(true)`:         "\x01",
		`bool(false)`:        "\x00",
		`byte('\x01')`:       "\x01",
		`byte('ÿ')`:          "\xff",
		`byte('\'')`:         "'",
		`uint8(255)`:         "\xff",
		`uint16(258)`:        "\x01\x02",
		`rune('中')`:          "\x00\x00\x4e\x2d",
		`int32(-2)`:          "\xff\xff\xff\xfe",
		`int(1)`:             "\x00\x00\x00\x00\x00\x00\x00\x01",
	} {
		args, err := parse("go test fuzz v1\n" + value + "\n")
		if err != nil || len(args) != 1 || string(args[0].data) != want {
			t.Errorf("%s: %q, %v; want %q", value, args, err, want)
		}
	}
}

// A seed that is read by halves would be another one.
func TestWhatIsNoSeedIsRefused(t *testing.T) {
	for _, text := range []string{
		"\x10\x00",
		"go test fuzz v1\n[]byte(\"a\"\n",
		"go test fuzz v1\n[]byte(a)\n",
		"go test fuzz v1\nbyte(256)\n",
		"go test fuzz v1\nbyte('ab')\n",
		"go test fuzz v1\nbool(2)\n",
		"go test fuzz v1\nfloat64(1)\n",
	} {
		if args, err := parse(text); err == nil {
			t.Errorf("%q is taken for %q", text, args)
		}
	}
}
