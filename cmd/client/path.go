package client

import (
	"strconv"
	"strings"
	"unicode/utf16"
)

// PathError is a path that no server would take. Its text is ZooKeeper's.
type PathError struct{ Reason string }

func (e *PathError) Error() string { return e.Reason }

// CheckPath says what is wrong with the path of a znode, as
// org.apache.zookeeper.common.PathUtils does: in its words, and with positions
// counted in UTF-16.
func CheckPath(path string) error {
	switch {
	case path == "":
		return &PathError{"Path length must be > 0"}
	case path[0] != '/':
		return &PathError{"Path must start with / character"}
	case path == "/":
		return nil
	case strings.HasSuffix(path, "/"):
		return &PathError{"Path must not end with / character"}
	}
	chars := utf16.Encode([]rune(path))
	for i := 1; i < len(chars); i++ {
		if reason := badChar(chars, i); reason != "" {
			return &PathError{`Invalid path string "` + path + `" caused by ` + reason + " @" + strconv.Itoa(i)}
		}
	}
	return nil
}

func badChar(chars []uint16, i int) string {
	c, before := chars[i], chars[i-1]
	ends := i+1 == len(chars) || chars[i+1] == '/'
	switch {
	case c == 0:
		return "null character not allowed"
	case c == '/' && before == '/':
		return "empty node name specified"
	case c == '.' && ends && (before == '/' || before == '.' && chars[i-2] == '/'):
		return "relative paths not allowed"
	case c < 0x20, c >= 0x7f && c <= 0x9f, c >= 0xd800 && c <= 0xf8ff, c >= 0xfff0:
		return "invalid character"
	}
	return ""
}

// Join is the path of a child.
func Join(parent, name string) string {
	if parent == "/" {
		return "/" + name
	}
	return parent + "/" + name
}

// Parent is the path that a path's znode is a child of; that of "/" is "".
func Parent(path string) string {
	i := strings.LastIndexByte(path, '/')
	switch {
	case path == "/" || i < 0:
		return ""
	case i == 0:
		return "/"
	}
	return path[:i]
}
