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

// largePages is from where on memory is worth larger pages.
const largePages = 4 << 20

// mapPages returns n zeros outside of the heap, and what gives them back.
func mapPages(n int) (b []byte, free func()) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return alignedBytes(n), func() {}
	}
	if n >= largePages {
		_ = unix.Madvise(b, unix.MADV_HUGEPAGE)
	}
	return b, func() { _ = unix.Munmap(b) }
}
