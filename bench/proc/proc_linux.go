package proc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// clockTick is the unit of times in /proc/PID/stat. The system reports it in
// USER_HZ, which is 100 on every architecture that Go runs on.
const clockTick = 10 * time.Millisecond

// PIDs lists the processes of the group that are running.
func (g *Group) PIDs() (pids []int) {
	for _, pid := range g.roots {
		_, err := stat(fmt.Sprintf("/proc/%d", pid))
		switch {
		case err != nil:
		case g.alone:
			pids = append(pids, pid)
		default:
			pids = appendTree(pids, pid)
		}
	}
	return pids
}

// appendTree adds a process and those that it has started, unless they are
// there.
func appendTree(pids []int, pid int) []int {
	if slices.Contains(pids, pid) {
		return pids
	}
	pids = append(pids, pid)
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		children, _ := os.ReadFile(list)
		for child := range strings.FieldsSeq(string(children)) {
			if n, err := strconv.Atoi(child); err == nil {
				pids = appendTree(pids, n)
			}
		}
	}
	return pids
}

// stat reads the fields of a stat file after the command's name, which may
// contain blanks: the state is field 0.
func stat(dir string) ([]string, error) {
	text, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return nil, err
	}
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(f) < 22 {
		return nil, fmt.Errorf("proc: %s/stat has %d fields", dir, len(f))
	}
	return f, nil
}

// Read finds the group's processes and sums them up. The error says that none
// of them runs.
func (g *Group) Read() (Usage, error) {
	var u Usage
	g.Close()
	for _, pid := range g.PIDs() {
		u.add(pid)
		statm, _ := os.Open(fmt.Sprintf("/proc/%d/statm", pid))
		g.known = append(g.known, process{pid, statm})
	}
	if len(g.known) == 0 {
		return u, g.ended()
	}
	return u, nil
}

// CPU sums up the processor time alone, of the processes that the last Read
// found. It costs a microsecond for each.
func (g *Group) CPU() (cpu time.Duration) {
	for _, p := range g.known {
		cpu += cpuTime(p.pid)
	}
	return cpu
}

// Memory sums up the resident memory alone, in bytes, of the processes that
// the last Read found. It costs some microseconds for each, however much they
// have, and may lag behind by some pages for each thread. The error says that
// none of them runs.
func (g *Group) Memory() (rss uint64, err error) {
	running := false
	for _, p := range g.known {
		if p.statm == nil { // there was no descriptor for it
			running = running || cpuTime(p.pid) > 0
		} else if n, err := resident(p.statm); err == nil {
			rss += n
			running = true
		}
	}
	if !running {
		return 0, g.ended()
	}
	return rss, nil
}

// ended is why no process of the group was found.
func (g *Group) ended() error {
	all, err := os.Open("/proc")
	if err != nil {
		return fmt.Errorf("proc: processes cannot be looked at: %w", err)
	}
	all.Close()
	return fmt.Errorf("%w: %v", ErrEnded, g.roots)
}

// cpuTime reads a process's own clock, which counts in nanoseconds; 0 if the
// process has ended.
func cpuTime(pid int) time.Duration {
	// The number of the clock of another process: see clock_getcpuclockid(3).
	const scheduler = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// add reads one process. What cannot be read, because it has ended or belongs
// to somebody else, is left out.
func (u *Usage) add(pid int) {
	dir := fmt.Sprintf("/proc/%d", pid)
	f, err := stat(dir)
	if err != nil {
		return
	}
	user, system := jiffies(f[11]), jiffies(f[12])
	u.User += user
	u.System += system
	if cpu := cpuTime(pid); cpu > 0 {
		u.CPU += cpu
	} else {
		u.CPU += user + system
	}
	u.threads(dir)
	u.Processors = max(u.Processors, processors(dir))
	u.memory(dir)
	if fds, err := os.ReadDir(dir + "/fd"); err == nil {
		u.Files += len(fds)
	}
}

func jiffies(s string) time.Duration {
	n, _ := strconv.ParseInt(s, 10, 64)
	return time.Duration(n) * clockTick
}

// memory prefers smaps_rollup, which is exact, to statm, which may lag behind
// by some pages for each thread.
func (u *Usage) memory(dir string) {
	const kb = 1 << 10
	if rollup, err := os.ReadFile(dir + "/smaps_rollup"); err == nil {
		u.RSS += field(rollup, "Rss:") * kb
		u.PSS += field(rollup, "Pss:") * kb
		return
	}
	if statm, err := os.Open(dir + "/statm"); err == nil {
		n, _ := resident(statm)
		u.RSS += n
		statm.Close()
	}
}

// resident reads the second field of a statm: pages.
func resident(statm *os.File) (size uint64, err error) {
	var text [200]byte
	n, err := statm.ReadAt(text[:], 0)
	f := bytes.Fields(text[:n])
	if len(f) < 2 {
		return 0, err // the process has ended
	}
	pages, err := strconv.ParseUint(string(f[1]), 10, 64)
	return pages * uint64(os.Getpagesize()), err
}

// field finds "name number" at the beginning of a line.
func field(text []byte, name string) uint64 {
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			f := bytes.Fields(rest)
			if len(f) > 0 {
				n, _ := strconv.ParseUint(string(f[0]), 10, 64)
				return n
			}
		}
	}
	return 0
}

// threads reads the scheduler's figures of every thread: nanoseconds on a
// processor, nanoseconds waiting for one.
func (u *Usage) threads(dir string) {
	files, _ := filepath.Glob(dir + "/task/*/schedstat")
	u.Threads += len(files)
	if u.Ran == nil {
		u.Ran = make(map[int]time.Duration, len(files))
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		f := strings.Fields(string(text))
		if err != nil || len(f) < 2 {
			continue
		}
		ran, _ := strconv.ParseInt(f[0], 10, 64)
		waited, _ := strconv.ParseInt(f[1], 10, 64)
		id, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		u.Ran[id] = time.Duration(ran)
		u.Waited += time.Duration(waited)
	}
}

// processors counts the list in Cpus_allowed_list, such as "0-3,8".
func processors(dir string) (n int) {
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return 0
	}
	_, list, _ := strings.Cut(string(status), "Cpus_allowed_list:")
	list, _, _ = strings.Cut(list, "\n")
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		from, to, ranged := strings.Cut(part, "-")
		a, err := strconv.Atoi(from)
		if err != nil {
			continue
		}
		b := a
		if ranged {
			b, _ = strconv.Atoi(to)
		}
		n += max(b-a+1, 0)
	}
	return n
}
