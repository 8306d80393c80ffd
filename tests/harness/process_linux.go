package harness

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// dieWithParent has the kernel kill cmd when this process ends in whatever way, a test timeout's panic included.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// stopped returns nil once each thread of a process has stopped: the signal is on its way for a while on a busy machine.
func stopped(pid int) error {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return err
	}
	for _, path := range threads {
		stat, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		// The name, in parentheses, may hold any character; the state follows it.
		if _, rest, ok := bytes.Cut(stat[max(bytes.LastIndexByte(stat, ')'), 0):], []byte(") ")); !ok || len(rest) == 0 || rest[0] != 'T' {
			return fmt.Errorf("%s: %s", path, stat)
		}
	}
	return nil
}
