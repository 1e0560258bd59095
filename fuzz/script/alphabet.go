package script

import (
	"strings"
	"time"
)

// The words of encoded scripts. They are few, so that clients meet, and chosen so that topics and filters
// match, overlap and just miss one another. A longer list only at its end: the seeds hold indexes.

var profiles = [...]string{"open", "platform", "small", "tight"}

var chunks = [...]int{0, 1, 2, 7}

var clients = [...]string{"alice", "bob", "carol", ""}

var keepAlives = [...]uint16{60, 0, 30, 10}

var topics = [...]string{
	"a", "a/b", "a/b/c", "b", "/a", "a/", "a//b", "/", "$a", "$a/b", "no/a", "sensor/1/temp", "sensor/2/temp",
	"a/c", "\u00e9/\u4e16", "a/b/c/d/e/f/g/h",
	// What is rarer: more levels than the tree looks up at once, and than the platform allows, a first character
	// that some take for a mark, another case, spaces, names as long as the platform allows, and longer ones.
	deep16, deep17, deep17 + "/x", "a/b/c/d/e/f/g/h/i", "\ufeffa", "A", " a", "$", "/sys/1/2/3/4/5/6/7/8/9", "/sys/1/2/3/4/5/6/7/8/9/10",
	long128, long128 + "a", "$a/b/c", "sensor/1/temp/", "sensor//temp", "e\u0301/\u4e16",
}

const (
	deep16 = "0/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15"
	deep17 = deep16 + "/16"
)

var long128 = "a/" + strings.Repeat("l", 126)

// rareFilters are those beyond the five bits of filters.
var rareFilters = [...]string{
	deep16, deep17, deep16 + "/#", deep16 + "/+", deep17 + "/+", deep17 + "/#", "0/#", "0/+/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16",
	"\ufeffa", "A", " a", "+/+/#", "+/+/+", "#", "$/#", "$", "/sys/#", "/sys/+/2/3/4/5/6/7/8/9", "/sys/1/2/3/4/5/6/7/8/9/10", "/sys/1/2/3/4/5/6/7/8/9/10/11",
	long128, long128 + "a", "$a/b/+", "sensor/+/+", "sensor/+/#", "sensor/1/temp/#", "e\u0301/+", "+/\u4e16", "a/b/c/d/e/f/g/h", "a/b/+/d/+/f/+/h",
	"+/+/+/+/+/+/+/+", "a/b/c/d/e/f/g/+/#",
}

var filters = [...]string{
	"a", "a/b", "#", "+", "a/#", "a/+", "+/b", "+/+", "a/+/c", "a/b/#", "/#", "/+", "+/#", "a/b/c", "$a/#", "$a/b",
	"+/a", "a//b", "sensor/+/temp", "sensor/1/temp", "sensor/#", "no/#", "a/", "b", "/", "+/b/#", "a/+/+", "\u00e9/#",
	"a/b/c/d/e/f/g/h/i", "$a/+", "a/+/#", "/a",
}

// sizes are lengths of payloads: nothing, and those around which the remaining length of some PUBLISH takes a byte
// more.
var sizes = [16]int{0, 0, 110, 117, 118, 119, 120, 121, 122, 123, 124, 125, 300, 1000, 16_370, 16_380}

var waits = [...]time.Duration{
	time.Second, 10 * time.Second, 15 * time.Second, 45 * time.Second, 89999 * time.Millisecond, 90 * time.Second,
	9999 * time.Millisecond, 44999 * time.Millisecond, 14999 * time.Millisecond, time.Hour, 24 * time.Hour,
	week - time.Second, week, week + time.Second, time.Millisecond, 30 * time.Second,
}

const week = 7 * 24 * time.Hour

// password is what the platform profile asks for.
const password = "secret"
