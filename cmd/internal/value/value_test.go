package value

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSizeIsReadWithItsUnit(t *testing.T) {
	cases := []struct {
		text string
		want Size
	}{
		{"0", 0}, {"512", 512}, {"4096B", 4096}, {"64KiB", 64 << 10}, {"64K", 64 << 10}, {"256KB", 256000},
		{"1.5GiB", 3 << 29}, {"2 MiB", 2 << 20}, {"1t", 1 << 40}, {"1e3", 1000},
	}
	for _, c := range cases {
		var s Size
		if err := s.Set(c.text); err != nil || s != c.want {
			t.Errorf("size %q: %d, %v; want %d", c.text, s, err, c.want)
		}
	}
}

func TestSizeRefusesWhatItCannotMean(t *testing.T) {
	cases := []struct{ text, explains string }{
		{"", "write a number of bytes"}, {"KiB", "write a number of bytes"}, {"many", "write a number of bytes"},
		{"-1", "negative"}, {"1.5", "whole number"}, {"0.3KiB", "whole number"}, {"9223372036854775808", "too large"},
		{"NaN", "write a number of bytes"}, {"Inf", "too large"}, {"8388608T", "too large"},
	}
	for _, c := range cases {
		s := Size(7)
		if err := s.Set(c.text); err == nil || !strings.Contains(err.Error(), c.explains) {
			t.Errorf("size %q: error %v, want one that says %q", c.text, err, c.explains)
		}
		if s != 7 {
			t.Errorf("size %q changed the value to %d", c.text, s)
		}
	}
}

func TestSizeReadsWhatItWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Size(rapid.Int64Range(0, 1<<52).Draw(t, "size"))
		var got Size
		if err := got.Set(want.String()); err != nil || got != want {
			t.Fatalf("%d is written %q and read %d, %v", int64(want), want, int64(got), err)
		}
	})
}

func TestDurationIsReadWithItsUnit(t *testing.T) {
	cases := []struct {
		text  string
		want  time.Duration
		wrote string
	}{
		{"0s", 0, "0s"}, {"500ms", 500 * time.Millisecond, "500ms"}, {"90s", 90 * time.Second, "1m30s"},
		{"5m", 5 * time.Minute, "5m"}, {"12h", 12 * time.Hour, "12h"}, {"7d", 168 * time.Hour, "7d"},
		{"1d12h", 36 * time.Hour, "1d12h"}, {"0.5d", 12 * time.Hour, "12h"}, {"1h30m", 90 * time.Minute, "1h30m"},
	}
	for _, c := range cases {
		var d Duration
		if err := d.Set(c.text); err != nil || time.Duration(d) != c.want || d.String() != c.wrote {
			t.Errorf("duration %q: %s, %v; want %s", c.text, d, err, c.wrote)
		}
	}
}

func TestDurationRefusesWhatItCannotMean(t *testing.T) {
	cases := []struct{ text, explains string }{
		{"", "empty"}, {"30", "write 30s"}, {"soon", "number with a unit"}, {"-5s", "negative"},
		{"200000d", "too long"}, {"106751d23h48m", "too long"}, {"100000000h", "too long"}, {"1d9999999999999999999h30m", "too long"}, {"5 s", "number with a unit"},
	}
	for _, c := range cases {
		d := Duration(7)
		if err := d.Set(c.text); err == nil || !strings.Contains(err.Error(), c.explains) {
			t.Errorf("duration %q: error %v, want one that says %q", c.text, err, c.explains)
		}
		if d != 7 {
			t.Errorf("duration %q changed the value to %d", c.text, d)
		}
	}
}

func TestDurationReadsWhatItWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Duration(rapid.Int64Range(0, int64(100000*time.Hour)).Draw(t, "duration"))
		var got Duration
		if err := got.Set(want.String()); err != nil || got != want {
			t.Fatalf("%d is written %q and read %d, %v", int64(want), want, int64(got), err)
		}
	})
}

func TestWordIsOneOfAFew(t *testing.T) {
	w := OneOf("memory", "os", "disk")
	if w.String() != "memory" {
		t.Errorf("the default is %q, want the first word", w)
	}
	if err := w.Set("disk"); err != nil || w.String() != "disk" {
		t.Errorf("disk: %q, %v", w, err)
	}
	err := w.Set("dsik")
	if err == nil || !strings.Contains(err.Error(), "did you mean disk?") || w.String() != "disk" {
		t.Errorf("dsik: %q, %v", w, err)
	}
	if err := w.Set("tape"); err == nil || err.Error() != "not one of memory, os, disk" {
		t.Errorf("tape: %v", err)
	}
}

func TestBoundIsANumberOrUnlimited(t *testing.T) {
	cases := []struct {
		bound       Bound
		text, wrote string
		want        int64
	}{
		{CountBound(), "10000", "10000", 10000},
		{CountBound(), "1_000_000", "1000000", 1000000},
		{CountBound(), "unlimited", "unlimited", -1},
		{SizeBound(), "16MiB", "16MiB", 16 << 20},
		{DurationBound(), "7d", "7d", int64(168 * time.Hour)},
	}
	for _, c := range cases {
		if got := c.bound.String(); got != "" {
			t.Errorf("before it is set the bound is %q", got)
		}
		if err := c.bound.Set(c.text); err != nil || c.bound.Value != c.want || c.bound.String() != c.wrote {
			t.Errorf("%q: %d, written %q, %v; want %d, %q", c.text, c.bound.Value, c.bound, err, c.want, c.wrote)
		}
	}
	for _, c := range []struct {
		bound          Bound
		text, explains string
	}{
		{CountBound(), "0", "write unlimited"}, {CountBound(), "-1", "write unlimited"}, {CountBound(), "many", "not a whole number, or unlimited"},
		{SizeBound(), "0", "write unlimited"}, {DurationBound(), "0s", "write unlimited"}, {DurationBound(), "soon", "or unlimited"},
	} {
		if err := c.bound.Set(c.text); err == nil || !strings.Contains(err.Error(), c.explains) || c.bound.Value != 0 {
			t.Errorf("%q: %d, %v; want an error that says %q", c.text, c.bound.Value, err, c.explains)
		}
	}
}

func TestRateIsANumberInATime(t *testing.T) {
	cases := []struct {
		text  string
		want  Rate
		wrote string
	}{
		{"30/s", Rate{30, time.Second}, "30/s"}, {"5/min", Rate{5, time.Minute}, "5/min"}, {"5/m", Rate{5, time.Minute}, "5/min"},
		{"100/10s", Rate{100, 10 * time.Second}, "100/10s"}, {"1_000/h", Rate{1000, time.Hour}, "1000/h"}, {"unlimited", Rate{Limit: -1}, "unlimited"},
	}
	for _, c := range cases {
		var r Rate
		if err := r.Set(c.text); err != nil || r != c.want || r.String() != c.wrote {
			t.Errorf("%q: %+v, written %q, %v", c.text, r, r, err)
		}
	}
	for _, c := range []struct{ text, explains string }{
		{"30", "as in 30/s"}, {"", "as in 30/s"}, {"x/s", "as in 30/s"}, {"0/s", "write unlimited"}, {"-1/s", "write unlimited"},
		{"1/fortnight", "after the slash"}, {"1/0s", "is zero"}, {"1/", "after the slash"},
	} {
		var r Rate
		if err := r.Set(c.text); err == nil || !strings.Contains(err.Error(), c.explains) || r != (Rate{}) {
			t.Errorf("%q: %+v, %v; want an error that says %q", c.text, r, err, c.explains)
		}
	}
}
