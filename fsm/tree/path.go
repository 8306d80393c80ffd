package tree

import (
	"errors"
	"fmt"
)

// The znodes that exist from the start, and the names of the two znodes that
// carry a quota.
const (
	RootPath   = "/"
	SystemPath = "/zookeeper"
	QuotaPath  = "/zookeeper/quota"
	ConfigPath = "/zookeeper/config"
	LimitsName = "zookeeper_limits"
	StatsName  = "zookeeper_stats"
)

// ErrInvalidPath is wrapped by all errors of ValidatePath.
var ErrInvalidPath = errors.New("invalid path")

// ValidatePath applies the full check of a path (PathUtils.validatePath). Java
// checks UTF-16 units, so all characters above U+FFFF are refused with the
// surrogates; malformed UTF-8 counts as U+FFFD and is refused too.
func ValidatePath(path string) error {
	if path == "" {
		return fmt.Errorf("%w: empty", ErrInvalidPath)
	}
	if path[0] != '/' {
		return fmt.Errorf("%w: does not begin with /", ErrInvalidPath)
	}
	if len(path) == 1 {
		return nil
	}
	start := 1 // of the component that i is in
	for i, c := range path[1:] {
		i++
		if c == '/' {
			if err := checkComponent(path, start, i); err != nil {
				return err
			}
			start = i + 1
			continue
		}
		if refused(c) {
			return fmt.Errorf("%w: character %U at byte %d", ErrInvalidPath, c, i)
		}
	}
	return checkComponent(path, start, len(path))
}

func checkComponent(path string, start, end int) error {
	switch name := path[start:end]; {
	case name == "" && end == len(path):
		return fmt.Errorf("%w: ends with /", ErrInvalidPath)
	case name == "":
		return fmt.Errorf("%w: empty component at byte %d", ErrInvalidPath, start)
	case name == "." || name == "..":
		return fmt.Errorf("%w: relative component at byte %d", ErrInvalidPath, start)
	}
	return nil
}

func refused(c rune) bool {
	if c < 0x7f {
		return c < 0x20
	}
	return c <= 0x9f || c >= 0xd800 && c <= 0xf8ff || c >= 0xfff0
}

// IsSystem reports whether path is one of the znodes that exist from the start
// and cannot be deleted.
func IsSystem(path string) bool {
	switch path {
	case RootPath, SystemPath, QuotaPath, ConfigPath:
		return true
	}
	return false
}
