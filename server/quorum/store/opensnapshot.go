package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrNoSnapshot reports that there is no snapshot yet.
var ErrNoSnapshot = errors.New("there is no snapshot")

// Snapshot is the state of a snapshot, opened for reading. It can be read to its end
// also when newer ones have taken its place.
type Snapshot struct {
	*os.File
	Bytes int64
	Index uint64 // Raft's
}

// OpenSnapshot opens the newest snapshot, once it has been compared with its seal:
// it reads all of it.
func (s *Stores) OpenSnapshot() (Snapshot, error) {
	for again := true; ; again = false {
		list, err := s.snaps.List()
		switch {
		case err != nil:
			return Snapshot{}, err
		case len(list) == 0:
			return Snapshot{}, ErrNoSnapshot
		}
		f, err := s.snaps.openState(list[0].ID)
		if again && errors.Is(err, fs.ErrNotExist) {
			continue // newer ones have come, so many that it is gone
		}
		if err != nil {
			return Snapshot{}, fmt.Errorf("open snapshot: %w", err)
		}
		return Snapshot{File: f, Bytes: list[0].Size, Index: list[0].Index}, nil
	}
}
