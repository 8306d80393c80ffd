package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

// The mark is a file that says how far the log was known to be committed: index,
// term, and a CRC-32C of both. It is written in place and never synced, for an
// older mark, or none, is as true: it only lets a start show less.
const markBytes = 8 + 8 + 4

func (s *Stores) markPath() string { return filepath.Join(s.cfg.DataLogDir, raftDir, "committed") }

// NoteCommitted notes that the log is committed up to an index, whose entry is of
// a term. It is not for several goroutines at once.
func (s *Stores) NoteCommitted(index, term uint64) error {
	b := binary.BigEndian.AppendUint64(nil, index)
	b = binary.BigEndian.AppendUint64(b, term)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	f, err := os.OpenFile(s.markPath(), os.O_WRONLY|os.O_CREATE, 0o644)
	if err == nil {
		_, err = f.WriteAt(b, 0)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("note what is committed: %w", err)
	}
	return nil
}

// Committed returns what was noted last; zeros where nothing was, or nothing that
// can be read.
func (s *Stores) Committed() (index, term uint64, err error) {
	b, err := os.ReadFile(s.markPath())
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read what is committed: %w", err)
	}
	if len(b) != markBytes || crc32.Checksum(b[:16], castagnoli) != binary.BigEndian.Uint32(b[16:]) {
		return 0, 0, nil
	}
	return binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), nil
}
