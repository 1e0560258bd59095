package script

import "time"

// The words of encoded scripts. They are few, so that clients meet, and chosen so that topics and filters
// match, overlap and just miss one another. A longer list only at its end: the seeds hold indexes.

var profiles = [...]string{"open", "platform", "small", "tight"}

var chunks = [...]int{0, 1, 2, 7}

var clients = [...]string{"alice", "bob", "carol", ""}

var keepAlives = [...]uint16{60, 0, 30, 10}

var topics = [...]string{
	"a", "a/b", "a/b/c", "b", "/a", "a/", "a//b", "/", "$a", "$a/b", "no/a", "sensor/1/temp", "sensor/2/temp",
	"a/c", "\u00e9/\u4e16", "a/b/c/d/e/f/g/h",
}

var filters = [...]string{
	"a", "a/b", "#", "+", "a/#", "a/+", "+/b", "+/+", "a/+/c", "a/b/#", "/#", "/+", "+/#", "a/b/c", "$a/#", "$a/b",
	"+/a", "a//b", "sensor/+/temp", "sensor/1/temp", "sensor/#", "no/#", "a/", "b", "/", "+/b/#", "a/+/+", "\u00e9/#",
	"a/b/c/d/e/f/g/h/i", "$a/+", "a/+/#", "/a",
}

var waits = [...]time.Duration{
	time.Second, 10 * time.Second, 15 * time.Second, 45 * time.Second, 89999 * time.Millisecond, 90 * time.Second,
	9999 * time.Millisecond, 44999 * time.Millisecond, 14999 * time.Millisecond, time.Hour, 24 * time.Hour,
	week - time.Second, week, week + time.Second, time.Millisecond, 30 * time.Second,
}

const week = 7 * 24 * time.Hour

// password is what the platform profile asks for.
const password = "secret"
