package cli

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

// keptLines is how many lines of earlier runs are there.
const keptLines = 1000

// history is the lines typed, this run's and, from a file, those of earlier ones.
// It is term.Terminal's History. What holds a password is not kept.
type history struct {
	lines []string // the latest last
	file  *os.File // nil if there is none
	mute  bool     // keep nothing
}

// historyPath is where lines are kept: $ZOORAFT_HISTORY, empty for nowhere, or a
// file among the user's state (XDG Base Directory Specification).
func historyPath() string {
	if path, ok := os.LookupEnv("ZOORAFT_HISTORY"); ok {
		return path
	}
	dir := os.Getenv("XDG_STATE_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "zooraft", "cli_history")
}

// openHistory reads a file and goes on at its end. Without one, or where it cannot
// be written, lines live as long as the run.
func openHistory(path string) *history {
	h := &history{}
	if path == "" {
		return h
	}
	all := 0
	if f, err := os.Open(path); err == nil {
		for lines := bufio.NewScanner(f); lines.Scan(); all++ {
			h.lines = append(h.lines, lines.Text())
		}
		f.Close()
		h.lines = h.lines[max(len(h.lines)-keptLines, 0):]
	}
	if os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return h
	}
	if all > 2*keptLines {
		os.WriteFile(path, []byte(strings.Join(h.lines, "\n")+"\n"), 0o600)
	}
	h.file, _ = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return h
}

func (h *history) close() {
	if h.file != nil {
		h.file.Close()
	}
}

// Add keeps a line; the same again, one with credentials, and one that may not be
// whole, it does not.
func (h *history) Add(line string) {
	line = strings.TrimSpace(line)
	secret := strings.HasPrefix(line, "addauth ")
	if h.mute || line == "" || len(line) >= maxLineBytes || secret || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	if h.file != nil {
		h.file.WriteString(line + "\n")
	}
}

// Len returns how many lines there are.
func (h *history) Len() int { return len(h.lines) }

// At returns a line, 0 the latest.
func (h *history) At(i int) string { return h.lines[len(h.lines)-1-i] }
