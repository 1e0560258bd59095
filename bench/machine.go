package bench

import (
	"bytes"
	"os"
	"runtime"
	"strings"

	"sampan/bench/proc"
)

// Machine is where a result comes from.
type Machine struct {
	OS         string `json:"os"`
	Kernel     string `json:"kernel,omitempty"`
	Arch       string `json:"arch"`
	Processor  string `json:"processor,omitempty"`
	Processors int    `json:"processors"`
	Go         string `json:"go"` // the generator's
	// Realtime says that the generator had real-time priority, and a broker that
	// it started, too.
	Realtime bool `json:"realtime,omitempty"`
}

// ThisMachine describes the machine as far as the system tells.
func ThisMachine() Machine {
	m := Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, Processors: runtime.NumCPU(), Go: runtime.Version(), Realtime: proc.Realtime()}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(release))
	}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.Processors = max(m.Processors, bytes.Count(info, []byte("\nprocessor"))+1)
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.Processor = strings.TrimSpace(value)
				break
			}
		}
	}
	return m
}
