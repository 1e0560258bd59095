package house

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// rooms says for each room of the library which other rooms its code may import. The longest matching path
// decides, so a room inside a room has its own line or follows its parent's. "" after the room means the
// room itself and everything inside it that is not named separately.
//
// Bytes know no connections, subscriptions know no packets, the broker knows no products: an edge that
// looks convenient today is a wall that cannot be moved tomorrow. See ARCHITECTURE.md.
var rooms = map[string][]string{
	"packet":      {},
	"topictree":   {},
	"session":     {"packet"},
	"session/...": {"session/wal", "session", "packet"},
	// A log knows files and records. Its file system is a room of its own, so that tests can tear writes.
	"session/wal":      {"session/wal/vfs"},
	"session/wal/...":  {},
	"session/memstore": {"session"},
	"tlsconf":          {},
	"tlsconf/...":      {"tlsconf"},
	// Without a store of its own a broker keeps sessions in memory.
	"broker":     {"packet", "topictree", "session", "session/memstore", "tlsconf"},
	"broker/...": {"broker", "broker/device", "broker/credential", "broker/quota", "packet", "session"},

	// The registry keeps its records in the same log as the durable store.
	"broker/device": {"session/wal"},
	// A credential is a computation on strings: clients use it without a broker.
	"broker/credential": {},
	// Limits and rates are numbers, whoever they limit.
	"broker/quota": {},

	"bench":     {"packet", "tlsconf"},
	"bench/...": {"bench", "packet", "tlsconf"},
}

// bare lists the standard packages that a room does without, and why that keeps it honest.
var bare = map[string][]string{
	// Bytes in, packets out: no reader, no connection, no formatting, no clock, no lock.
	"packet": {"net", "io", "fmt", "sync", "time", "os", "log", "log/slog", "context", "reflect", "unsafe"},
	// A session is a state machine that is given the time.
	"session":   {"net", "os", "log", "log/slog", "unsafe"},
	"topictree": {"net", "io", "os", "log", "log/slog"},
}

// libraries are the rooms that somebody may embed: the standard library and golang.org/x/sys, nothing else.
var libraries = []string{"packet", "topictree", "session", "tlsconf", "broker"}

func TestLibraryRoomsImportOnlyStandardLibraryAndXSys(t *testing.T) {
	for _, p := range packages(t, ".") {
		room := p.room()
		top, _, _ := strings.Cut(room, "/")
		if !slices.Contains(libraries, top) {
			continue
		}
		for _, imported := range p.Imports {
			if isStandard(imported) || strings.HasPrefix(imported, "sampan/") {
				continue
			}
			if !strings.HasPrefix(imported, "golang.org/x/sys/") {
				t.Errorf("%s imports %s: a library room imports only the standard library and golang.org/x/sys", p.ImportPath, imported)
			}
		}
	}
}

func TestRoomsImportOnlyRoomsBelowThem(t *testing.T) {
	for _, p := range packages(t, ".") {
		room := p.room()
		rule, allowed, found := ruleFor(room)
		if !found {
			continue
		}
		for _, imported := range p.Imports {
			other, local := strings.CutPrefix(imported, "sampan/")
			if !local || mayImport(room, other, allowed) {
				continue
			}
			t.Errorf("%s imports %s: the rule for %q allows %v", p.ImportPath, imported, rule, allowed)
		}
	}
}

func TestBareRoomsDoWithout(t *testing.T) {
	for _, p := range packages(t, ".") {
		for _, imported := range p.Imports {
			if slices.Contains(bare[p.room()], imported) {
				t.Errorf("%s imports %q, which this room does without", p.ImportPath, imported)
			}
		}
	}
}

func TestLibraryImportsNothingOfTheBinary(t *testing.T) {
	for _, p := range packages(t, ".") {
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if imported == "sampan/cmd" || strings.HasPrefix(imported, "sampan/cmd/") {
				t.Errorf("%s imports %s: the binary's module is built on the library, not the other way", p.ImportPath, imported)
			}
		}
	}
}

// The rules themselves: a rule that matches nothing and a rule that lets everything through both fail here.
func TestImportRules(t *testing.T) {
	cases := []struct {
		from, to string
		allowed  bool
	}{
		{"packet", "topictree", false},
		{"packet", "packet/internal/utf8", true},
		{"topictree", "packet", false},
		{"session", "packet", true},
		{"session", "broker", false},
		{"session/durable", "session/wal", true},
		{"session/wal", "session", false},
		{"broker", "session", true},
		{"broker", "broker/device", false},
		{"broker", "broker/internal/queue", true},
		{"broker/rrpc", "broker", true},
		{"broker/rrpc", "broker/device", true},
		{"broker/rrpc", "broker/gateway", false},
		{"broker/rrpc", "broker/rrpc/internal/id", true},
		{"broker/device", "session/wal", true},
		{"broker/rrpc", "session/wal", false},
		{"tlsconf", "broker", false},
		{"bench", "broker", false},
		{"bench", "packet", true},
	}
	for _, c := range cases {
		_, rule, found := ruleFor(c.from)
		if !found {
			t.Fatalf("no rule for %s", c.from)
		}
		if got := mayImport(c.from, c.to, rule); got != c.allowed {
			t.Errorf("%s imports %s: allowed %v, want %v", c.from, c.to, got, c.allowed)
		}
	}
	for room, allowed := range rooms {
		for _, other := range allowed {
			if _, _, named := ruleFor(other); !named {
				t.Errorf("the rule for %s names the room %s, which has no rule itself", room, other)
			}
		}
	}
}

// ruleFor finds the rule of the longest path that holds for a room: its own line, or the "/..." line of
// the nearest room around it.
func ruleFor(room string) (rule string, allowed []string, found bool) {
	if allowed, found = rooms[room]; found {
		return room, allowed, true
	}
	for parent := room; ; {
		i := strings.LastIndexByte(parent, '/')
		if i < 0 {
			return "", nil, false
		}
		parent = parent[:i]
		if allowed, found = rooms[parent]; found && strings.Contains(room[len(parent):], "/internal/") {
			return parent, allowed, true
		}
		if allowed, found = rooms[parent+"/..."]; found {
			return parent + "/...", allowed, true
		}
	}
}

// mayImport reports whether a room may import another: itself and its own internal packages always.
func mayImport(room, other string, allowed []string) bool {
	home, _, _ := strings.Cut(room, "/internal/")
	if other == home || strings.HasPrefix(other, home+"/internal/") {
		return true
	}
	return slices.Contains(allowed, other)
}

func TestEveryRoomHasARule(t *testing.T) {
	free := []string{"internal", "fuzz"} // tests of the whole repository, and tests of every room
	for _, p := range packages(t, ".") {
		room := p.room()
		top, _, _ := strings.Cut(room, "/")
		if slices.Contains(free, top) {
			continue
		}
		if _, _, found := ruleFor(room); !found {
			t.Errorf("%s has no import rule; known rooms: %v", p.ImportPath, slices.Sorted(maps.Keys(rooms)))
		}
	}
}
