package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	raftDir   = "raft"
	tmpSuffix = ".tmp"
)

// What makes a file durable, or the names in a directory: all of it, or what reading
// its data needs. Tests look on here.
var (
	syncFile = (*os.File).Sync
	syncData = dataSync
)

// writeFile replaces the file at path: after a crash it holds the old bytes or
// the new, never a mixture.
func writeFile(path string, data []byte) (err error) {
	tmp := path + tmpSuffix
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = syncFile(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(syncFile(d), d.Close())
}

// makeDir makes dir and what is missing above it, durably.
func makeDir(dir string) error {
	if ok, err := exists(dir); ok || err != nil {
		return err
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := makeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// lockDir takes the lock of a data directory or says who holds it. The lock
// goes with the process, so a crash leaves none behind.
func lockDir(what, dir string) (io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(dir, raftDir, "lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder := "another process"
		if b, rerr := io.ReadAll(io.LimitReader(f, 32)); rerr == nil {
			if pid := strings.TrimSpace(string(b)); pid != "" {
				holder = "process " + pid
			}
		}
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s %s is in use by %s", what, dir, holder)
		}
		return nil, fmt.Errorf("lock %s %s: %w", what, dir, err)
	}
	// The pid is for people only; the lock itself is flock's.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	return f, nil
}
