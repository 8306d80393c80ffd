package bench

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// ReadEnvironment describes this machine. What the system does not tell stays
// empty.
func ReadEnvironment(versions ...string) Environment {
	e := Environment{
		Started:  time.Now().UTC().Truncate(time.Second),
		Cores:    runtime.NumCPU(),
		OS:       runtime.GOOS + "/" + runtime.GOARCH,
		Versions: versions,
	}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		e.CPU = field(string(b), "model name")
	}
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		kib, err := strconv.ParseInt(strings.TrimSuffix(field(string(b), "MemTotal"), " kB"), 10, 64)
		if err == nil {
			e.Memory = kib << 10
		}
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		e.OS = "Linux " + strings.TrimSpace(string(b)) + " (" + runtime.GOARCH + ")"
	}
	return e
}

// field is the value of a "key : value" line.
func field(text, key string) string {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
