package bench

import (
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// clockTick is the unit of processor times in /proc: USER_HZ, which Linux fixes at 100 a second for user space.
const clockTick = 10 * time.Millisecond

// cpuTime is the processor time, user and system, that processes have taken so far.
func cpuTime(t *testing.T, pids ...int) time.Duration {
	t.Helper()
	var sum time.Duration
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		// The second field, a name in parentheses, may hold anything; utime and stime are the 14th and 15th.
		rest := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(rest) < 13 {
			t.Fatalf("/proc/%d/stat: %q", pid, text)
		}
		for _, field := range rest[11:13] {
			ticks, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				t.Fatalf("/proc/%d/stat: %v", pid, err)
			}
			sum += time.Duration(ticks) * clockTick
		}
	}
	return sum
}

// memory is the resident memory of a process in bytes: now, and the most there ever was.
type memory struct{ rss, peak int64 }

func memoryOf(t *testing.T, pid int) memory {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	read := func(key string) int64 {
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(line, key+":"); ok {
				kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
				if err != nil {
					t.Fatalf("/proc/%d/status: %q", pid, line)
				}
				return kib << 10
			}
		}
		t.Fatalf("/proc/%d/status has no %s", pid, key)
		return 0
	}
	return memory{rss: read("VmRSS"), peak: read("VmHWM")}
}

// walkFiles tells the size in bytes of each file below a directory.
func walkFiles(dir fs.FS, tell func(name string, bytes int64)) error {
	return fs.WalkDir(dir, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		tell(name, info.Size())
		return nil
	})
}
