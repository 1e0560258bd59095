package house

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// rooms says for each room of the library which other rooms its code may import. A room inside a room has a
// line of its own or follows the "/..." line of the nearest room around it; "x/..." in a rule stands for x and
// every room inside it.
//
// Bytes know no connections, subscriptions know no packets, the broker knows no products: an edge that
// looks convenient today is a wall that cannot be moved tomorrow. See ARCHITECTURE.md.
var rooms = map[string][]string{
	"packet":      {},
	"topictree":   {},
	"session":     {"packet"},
	"session/...": {"session", "session/internal/...", "session/wal/...", "packet"},
	// A log knows files and records. Its file system is a room of its own, so that tests can tear writes.
	"session/wal":      {"session/wal/vfs"},
	"session/wal/...":  {"session/wal/vfs"},
	"session/memstore": {"session", "session/internal/..."},
	"tlsconf":          {},
	"tlsconf/...":      {"tlsconf/..."},
	// Without a store of its own a broker keeps sessions in memory.
	"broker":     {"packet", "topictree", "session", "session/memstore", "tlsconf"},
	"broker/...": {"broker", "broker/device", "broker/credential", "broker/quota", "packet", "session"},

	// The registry keeps its records in the same log as the durable store.
	"broker/device":     {"session/wal"},
	"broker/device/...": {"broker/device"},
	// What is kept beside the registry is records by key; whose they are is for others to know.
	"broker/ledger": {"session/wal", "session/wal/vfs"},
	// A credential is a computation on strings: clients use it without a broker.
	"broker/credential": {},
	// Limits and rates are numbers, whoever they limit.
	"broker/quota": {},
	// Alink's envelope is how devices and the platform talk, in services and through gateways alike.
	"broker/alink":     {"broker", "broker/device", "broker/ledger", "broker/quota", "broker/alink/envelope", "packet"},
	"broker/alink/...": {},
	"broker/gateway":   {"broker", "broker/device", "broker/ledger", "broker/credential", "broker/permission", "broker/quota", "broker/alink/envelope", "packet", "session"},
	// Which topics a device may use is a computation on the product's categories.
	"broker/permission": {"broker/device"},
	// The API is the server's way to what the platform's parts do.
	"broker/openapi": {"broker", "broker/internal/notation", "broker/device", "broker/quota", "broker/rrpc", "broker/alink", "broker/alink/envelope", "broker/gateway", "packet"},
	// The platform is where its parts meet.
	"broker/platform": {"broker/...", "packet", "session"},
	// How times and addresses are written is the same everywhere.
	"broker/internal/notation": {},

	"bench":     {"bench/...", "packet", "tlsconf/..."},
	"bench/...": {"bench/...", "packet", "tlsconf/..."},
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

// forTests says that a room holds tests to be shared; it is called after what they test, as brokertest is.
func forTests(room string) bool { return strings.HasSuffix(room, "test") }

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
			if !local || mayImport(room, other, allowed) && (forTests(room) || !forTests(other)) {
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
		{"bench/load", "bench/wire", true},
		{"bench/load", "benchmark", false},
		{"broker/platform", "broker/rrpc", true},
		{"broker/platform", "topictree", false},
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
			if _, _, named := ruleFor(strings.TrimSuffix(other, "/...")); !named {
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
	return slices.ContainsFunc(allowed, func(rule string) bool {
		within, open := strings.CutSuffix(rule, "/...")
		return other == within || open && strings.HasPrefix(other, within+"/")
	})
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
