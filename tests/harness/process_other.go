//go:build !linux

package harness

import "os/exec"

// dieWithParent can do nothing here: only the test's clean-up ends cmd.
func dieWithParent(*exec.Cmd) {}

// stopped cannot be told here.
func stopped(int) error { return nil }
