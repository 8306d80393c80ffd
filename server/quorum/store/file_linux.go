package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// dataSync makes the data of a file durable, and of its metadata what reading
// that data needs.
func dataSync(f *os.File) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	cerr := c.Control(func(fd uintptr) {
		for {
			if err = unix.Fdatasync(int(fd)); err != unix.EINTR {
				return
			}
		}
	})
	if cerr != nil {
		return cerr
	}
	if err != nil {
		return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
	}
	return nil
}

// readAhead says whether the system shall read more of f than it is asked for.
func readAhead(f *os.File, on bool) {
	advice := unix.FADV_RANDOM
	if on {
		advice = unix.FADV_NORMAL
	}
	if c, err := f.SyscallConn(); err == nil {
		_ = c.Control(func(fd uintptr) { _ = unix.Fadvise(int(fd), 0, 0, advice) })
	}
}

// openDirect opens the file at path, as flag says, past the page cache.
func openDirect(path string, flag int) (*os.File, error) {
	return os.OpenFile(path, flag|unix.O_DIRECT, 0)
}

// directMemory returns n bytes to read into past the page cache, at a multiple of
// directBlock, and what gives them back. Of a large page, if the system has one to
// give, the disk is told as one piece of memory and not as hundreds.
func directMemory(n int) (b []byte, free func()) {
	const page = 2 << 20
	if n > page/4 {
		if b, err := unix.Mmap(-1, 0, max(n, page), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE); err == nil {
			_ = unix.Madvise(b, unix.MADV_HUGEPAGE)
			return b[:n], func() { _ = unix.Munmap(b) }
		}
	}
	return alignedBytes(n), func() {}
}
