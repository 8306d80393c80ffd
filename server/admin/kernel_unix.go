//go:build unix

package admin

import "golang.org/x/sys/unix"

// kernel is the release of the operating system's kernel.
func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}
