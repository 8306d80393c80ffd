package bench

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of processor times in /proc: USER_HZ, which Linux fixes
// at 100 a second for user space.
const clockTick = 10 * time.Millisecond

var errProc = errors.New("unexpected content of /proc")

// processes follows server processes. What a process took until it ended
// counts as far as it was sampled; a system without /proc gives zeros.
type processes struct {
	began []usage
	last  []usage
	pids  []int
	start []usage
}

// usage is what a process has taken so far.
type usage struct {
	name      string
	cpu       time.Duration
	rss, peak int64 // bytes
}

func newProcesses(pids []int) *processes {
	p := &processes{pids: pids}
	p.start = p.read(make([]usage, len(pids)))
	return p
}

// begin starts the measurement.
func (p *processes) begin() {
	p.began = p.read(p.start)
	p.last = p.began
}

// sample is called now and then, so that the end of a process loses little.
func (p *processes) sample() { p.last = p.read(p.last) }

// read reads all; a process that is gone keeps what was known.
func (p *processes) read(known []usage) []usage {
	now := make([]usage, len(p.pids))
	for i, pid := range p.pids {
		u, err := readUsage(pid)
		if err != nil {
			u = known[i]
		}
		now[i] = u
	}
	return now
}

func (p *processes) results() []Process {
	var out []Process
	for i, pid := range p.pids {
		l := p.last[i]
		out = append(out, Process{PID: pid, Name: l.name, CPU: (l.cpu - p.began[i].cpu).Seconds(),
			RSS: l.rss, Peak: l.peak, StartRSS: p.start[i].rss})
	}
	return out
}

func readUsage(pid int) (usage, error) {
	dir := "/proc/" + strconv.Itoa(pid) + "/"
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		return usage{}, err
	}
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		return usage{}, err
	}
	return parseUsage(string(stat), string(status))
}

// parseUsage reads /proc/PID/stat and status (proc_pid_stat(5),
// proc_pid_status(5)).
func parseUsage(stat, status string) (usage, error) {
	// The second field, the name in parentheses, may hold anything.
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return usage{}, errProc
	}
	u := usage{name: stat[open+1 : end]}
	fields := strings.Fields(stat[end+1:])
	if len(fields) < 13 {
		return usage{}, errProc
	}
	for _, field := range fields[11:13] { // utime and stime
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return usage{}, errProc
		}
		u.cpu += time.Duration(ticks) * clockTick
	}
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(line, ":")
		into := map[string]*int64{"VmRSS": &u.rss, "VmHWM": &u.peak}[key]
		if into == nil {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return usage{}, errProc
		}
		*into = kib << 10
	}
	return u, nil
}
