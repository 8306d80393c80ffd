package store

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

const (
	tableName = "segments"
	tableHead = "zooraft log segments, version 1, crc "
)

// errTable is wrapped by errors about the bytes of a segment table.
var errTable = errors.New("segment table is damaged")

// segmentTable is raft-wal's metadata: which segments there are and what of
// them counts. The Codec of a segment is here the form of its file, sectorCodecID
// or entryCodecID; to raft-wal it is that of the entries, always entryCodecID.
//
// raft-wal would keep it in a bbolt file, whose pages have no checksums; a flipped
// digit there can make entries vanish. It is one line of head with a CRC-32C and
// one of JSON, replaced as a whole. It implements types.MetaStore, whose stable
// store part is not used.
type segmentTable struct {
	dir    string
	logger hclog.Logger
	state  types.PersistentState
	// committed is called at the end of each CommitState with its error.
	committed func(error)
	// spare may have the file of a new tail ready; nil: none.
	spare *spare
}

// openTable reads the table of dir, or an empty one if there is none.
func openTable(dir string, logger hclog.Logger) (*segmentTable, error) {
	t := &segmentTable{dir: dir, logger: logger}
	path := filepath.Join(dir, tableName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		// The table is made before the first segment gets an entry.
		if segments, err := segmentPaths(dir); err != nil {
			return nil, err
		} else if blank, err := blankFiles(segments); err != nil {
			return nil, err
		} else if !blank {
			return nil, fmt.Errorf("%s is missing, but there are segments beside it", path)
		}
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	if t.state, err = decodeTable(b); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

func encodeTable(s types.PersistentState) ([]byte, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	body = append(body, '\n')
	return append(fmt.Appendf(nil, "%s%08x\n", tableHead, checksum(body)), body...), nil
}

// decodeTable is the inverse of encodeTable. It accepts only a table that can
// be: consecutive segments, and all but the last one sealed.
func decodeTable(b []byte) (types.PersistentState, error) {
	var s types.PersistentState
	n := len(tableHead) + 9
	if len(b) < n || !bytes.Equal(b[:n], fmt.Appendf(nil, "%s%08x\n", tableHead, checksum(b[n:]))) {
		return s, fmt.Errorf("%w: its checksum does not fit", errTable)
	}
	if err := json.Unmarshal(b[n:], &s); err != nil {
		return s, fmt.Errorf("%w: %w", errTable, err)
	}
	for i, seg := range s.Segments {
		sealed := !seg.SealTime.IsZero()
		switch {
		case seg.ID >= s.NextSegmentID || (seg.Codec != entryCodecID && seg.Codec != sectorCodecID) || seg.BaseIndex == 0 || seg.MinIndex < seg.BaseIndex:
			return s, fmt.Errorf("%w: segment %d: %+v", errTable, i, seg)
		case sealed != (i < len(s.Segments)-1):
			return s, fmt.Errorf("%w: segment %d of %d: sealed is %t", errTable, i+1, len(s.Segments), sealed)
		case sealed && (seg.MaxIndex < seg.MinIndex || s.Segments[i+1].BaseIndex != seg.MaxIndex+1):
			return s, fmt.Errorf("%w: segment %d ends at %d, the next begins at %d", errTable, i, seg.MaxIndex, s.Segments[i+1].BaseIndex)
		case i > 0 && seg.MinIndex != seg.BaseIndex:
			return s, fmt.Errorf("%w: segment %d begins at %d, counted from %d", errTable, i, seg.BaseIndex, seg.MinIndex)
		}
	}
	return s, nil
}

// Load implements types.MetaStore.
func (t *segmentTable) Load(string) (types.PersistentState, error) {
	s := t.state
	s.Segments = slices.Clone(s.Segments)
	for i := range s.Segments {
		s.Segments[i].Codec = entryCodecID
	}
	return s, nil
}

// CommitState implements types.MetaStore. It makes the file of a new tail
// before the table names it: raft-wal does it the other way round and must
// then take a missing tail for an empty one.
func (t *segmentTable) CommitState(s types.PersistentState) error {
	err := t.commit(s)
	if err != nil {
		t.logger.Error("segment table not written", "path", filepath.Join(t.dir, tableName), "error", err)
	}
	if t.committed != nil {
		t.committed(err)
	}
	return err
}

func (t *segmentTable) commit(s types.PersistentState) error {
	s.Segments = slices.Clone(s.Segments)
	known := map[uint64]uint64{} // codecs
	for _, seg := range t.state.Segments {
		known[seg.ID] = seg.Codec
	}
	for i := range s.Segments {
		s.Segments[i].Codec = cmp.Or(known[s.Segments[i].ID], sectorCodecID)
	}
	made := ""
	if n := len(s.Segments); n > 0 && known[s.Segments[n-1].ID] == 0 {
		tail := s.Segments[n-1]
		made = filepath.Join(t.dir, segment.FileName(tail))
		if err := makeSegment(t.dir, tail, t.spare); err != nil {
			return fmt.Errorf("make segment: %w", errors.Join(err, removeIfThere(made)))
		}
	}
	b, err := encodeTable(s)
	if err == nil {
		err = writeFile(filepath.Join(t.dir, tableName), b)
	}
	if err != nil {
		// The new file stays: the rename may have happened. A stranger without
		// entries is removed at the next start.
		return fmt.Errorf("write segment table: %w", err)
	}
	t.state = s
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// GetStable implements types.MetaStore.
func (t *segmentTable) GetStable([]byte) ([]byte, error) { return nil, errors.ErrUnsupported }

// SetStable implements types.MetaStore.
func (t *segmentTable) SetStable(_, _ []byte) error { return errors.ErrUnsupported }

// Close implements types.MetaStore.
func (t *segmentTable) Close() error { return nil }
