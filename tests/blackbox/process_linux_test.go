package blackbox

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel send a signal to cmd when the thread that starts it ends.
func dieWithParent(cmd *exec.Cmd, last syscall.Signal) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: last}
}
