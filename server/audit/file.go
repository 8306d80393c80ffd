package audit

import (
	"fmt"
	"os"
)

// Files of ZooKeeper's logback.xml: the log, and log.1 to log.10 behind it, the first
// of them the newest.
const (
	maxFileBytes = 10 << 20
	maxFiles     = 10
)

// file is a log file that is put aside when it has its size. The libraries there are
// for it call those put aside otherwise than ZooKeeper does.
type file struct {
	path string
	max  int64
	f    *os.File
	size int64
}

func openFile(path string) (*file, error) {
	l := &file{path: path, max: maxFileBytes}
	return l, l.open()
}

func (l *file) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	l.f, l.size = f, info.Size()
	return nil
}

// write appends whole lines, and tells how many bytes are in the file; the rest is
// for another attempt.
func (l *file) write(lines []byte) (int, error) {
	if l.f != nil && l.size >= l.max {
		if err := l.roll(); err != nil {
			return 0, err
		}
	}
	if l.f == nil {
		if err := l.open(); err != nil {
			return 0, err
		}
	}
	n, err := l.f.Write(lines)
	l.size += int64(n)
	return n, err
}

// roll puts the file aside. Where that cannot be done it is written to as before: a
// log that is too long is better than none.
func (l *file) roll() error {
	name := func(i int) string { return fmt.Sprintf("%s.%d", l.path, i) }
	for i := maxFiles - 1; i >= 1; i-- {
		if err := os.Rename(name(i), name(i+1)); err != nil && !os.IsNotExist(err) {
			return nil
		}
	}
	if err := os.Rename(l.path, name(1)); err != nil && !os.IsNotExist(err) {
		return nil
	}
	err := l.f.Close()
	l.f = nil
	return err
}

func (l *file) close() error {
	if l.f == nil {
		return nil
	}
	err := l.f.Close()
	l.f = nil
	return err
}
