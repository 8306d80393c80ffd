package harness

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel kill cmd when this process ends in whatever way, a test timeout's panic included.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
