package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// walLog is raft-wal v0.4.0 with its edges filed off:
//
//   - It writes its own codec id whatever codec it was given, and then refuses
//     to open its segments. The filer and the table put the right one in.
//   - A segment that was sealed while the process ended cannot be written to
//     again. verifyLog completes the rotation.
//   - A tail that DeleteRange cut gets no index, and cannot be read after a
//     restart. sealedReader reads it.
//   - It reads 64 KiB for each entry, and the head of each frame of the tail by
//     itself when it opens. Both readers are ours, and verifyLog knows the heads.
//   - DeleteRange in the middle of a rotation ruins the table. settle waits.
//   - A missing tail is made anew, and files the table does not name are
//     deleted. Here a tail is made before the table names it, so that a missing
//     one is a loss; see verifyLog for strangers.
type walLog struct {
	*wal.WAL
	filer *segmentFiler
	spare *spare

	writing sync.Mutex // guards codec in a write
	codec   *scratchCodec
}

func openWAL(dir string, cfg Config, v visitor) (*walLog, error) {
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	table, err := openTable(dir, cfg.Log)
	if err != nil {
		return nil, err
	}
	spare := newSpare(dir, cfg)
	fs := newSegmentFS(spare, cfg.Metrics, cfg.Log)
	filer := &segmentFiler{dir: dir, fs: fs, Filer: segment.NewFiler(dir, fs), plain: map[uint64]bool{}, spare: spare}
	for _, info := range table.state.Segments {
		filer.plain[info.ID] = !sectored(info)
	}
	if err := spare.inherit(table.state); err != nil {
		return nil, err
	}
	if filer.offsets, filer.heads, err = verifyLog(dir, table, v, cfg.Log); err != nil {
		return nil, err
	}
	table.committed, table.spare = filer.rotated, spare
	codec := new(scratchCodec)
	opened, err := wal.Open(dir, wal.WithCodec(codec), wal.WithMetaStore(table), wal.WithSegmentFiler(filer),
		wal.WithLogger(cfg.Log), wal.WithSegmentSize(cfg.segmentBytes))
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", dir, err)
	}
	filer.opened, filer.log = true, cfg.Log
	spare.start()
	return &walLog{WAL: opened, filer: filer, spare: spare, codec: codec}, nil
}

// StoreLogs implements raft.LogStore.
func (l *walLog) StoreLogs(logs []*raft.Log) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	n := 0
	for _, e := range logs {
		n += entryLen(e)
	}
	l.codec.begin(n)
	defer l.codec.end()
	return l.WAL.StoreLogs(logs)
}

// Close closes the log and waits for the files that are being deleted or made.
func (l *walLog) Close() error {
	err := l.WAL.Close()
	l.spare.close()
	l.filer.deletions.Wait()
	return err
}

func (l *walLog) settle() error { return l.filer.awaitRotation() }

// runStart implements innerLog. The table has no gaps.
func (l *walLog) runStart() (uint64, error) { return l.FirstIndex() }

// segmentFiler is raft-wal's filer for segments of entryCodec.
type segmentFiler struct {
	*segment.Filer
	fs  segmentFS
	dir string
	// plain are the segments that are no files of sectors, by their ids. None
	// comes to them.
	plain map[uint64]bool
	// spare may take the files of segments that are not needed any more.
	spare *spare
	// offsets has the frames of the sealed segments without an index, by
	// segment id.
	offsets map[uint64][]uint32
	// heads are those of the tail's frames, until it is opened; none if it is a new
	// one.
	heads []byte

	log       hclog.Logger
	opened    bool           // wal.Open has returned; set before any other use
	deletions sync.WaitGroup // of segment files, one after the other
	deleting  sync.Mutex

	mu sync.Mutex
	// rotation is open while a sealed tail waits for its successor.
	rotation chan struct{}
	// err is the first failure to write the table or to open a new segment.
	// raft-wal only logs it, and is not in order afterwards.
	err error
}

func (f *segmentFiler) Create(info types.SegmentInfo) (types.SegmentWriter, error) {
	info.Codec = entryCodecID
	w, err := f.writer(info, nil, (*segment.Filer).Create)
	f.note(err)
	return w, err
}

// Delete removes a segment that the table names no more, or gives its file to the
// spares. raft-wal calls it with its write lock held, and a file system may take
// tens of milliseconds to give back 64 MiB, so the file goes in the background:
// its name never comes again, and after a crash the next start removes it. What
// wal.Open removes goes at once, for the next segment may have the name of one
// of those.
//
// raft-wal has closed the segment before, but a reader of an older state may be
// about to read from it. It finds the file closed; if the system was reading for
// it already, and the file is written to again meanwhile, the entry's checksum
// tells. Either way it was after an entry that is deleted.
func (f *segmentFiler) Delete(baseIndex, id uint64) error {
	if !f.opened {
		return f.Filer.Delete(baseIndex, id)
	}
	f.deletions.Add(1)
	go func() {
		defer f.deletions.Done()
		f.deleting.Lock()
		defer f.deleting.Unlock()
		// Where sectors have their tags another file has what it was given by
		// clients.
		if !f.plain[id] && f.spare.keep(baseIndex, id) {
			return
		}
		if err := f.Filer.Delete(baseIndex, id); err != nil {
			f.log.Warn("cannot delete a log segment; the next start will", "index", baseIndex, "error", err)
		}
	}()
	return nil
}

func (f *segmentFiler) RecoverTail(info types.SegmentInfo) (types.SegmentWriter, error) {
	w, err := f.writer(info, f.heads, (*segment.Filer).RecoverTail)
	f.heads = nil
	if errors.Is(err, os.ErrNotExist) {
		// raft-wal would take this as leave to make an empty one.
		return nil, fmt.Errorf("tail segment has gone: %v", err)
	}
	return w, err
}

// firstSegment is the id of the first segment of a log, and firstBytes where that
// ends at the latest: it is preallocated, and a write to one whose file was written
// before costs less.
const (
	firstSegment = 0
	firstBytes   = 8 << 20
)

// writer has raft-wal open a tail, whose frames have these heads.
func (f *segmentFiler) writer(info types.SegmentInfo, heads []byte,
	open func(*segment.Filer, types.SegmentInfo) (types.SegmentWriter, error)) (types.SegmentWriter, error) {
	if info.ID == firstSegment {
		info.SizeLimit = min(info.SizeLimit, firstBytes)
	}
	fs := &tailFS{segmentFS: f.fs, heads: heads, limit: int64(info.SizeLimit)}
	w, err := open(segment.NewFiler(f.dir, fs), info)
	if err != nil {
		return nil, err
	}
	fs.file.heads = nil // reads have no order any more
	return &segmentWriter{
		Writer: w.(*segment.Writer), filer: f,
		frames: frames{f: fs.file, path: filepath.Join(f.dir, segment.FileName(info))},
	}, nil
}

// Open implements types.SegmentFiler. raft-wal calls it while it opens, so that
// verifyLog has just compared the header.
func (f *segmentFiler) Open(info types.SegmentInfo) (types.SegmentReader, error) {
	var fs types.VFS = f.fs
	if f.plain[info.ID] {
		fs = f.fs.FS
	}
	return openSealed(fs, f.dir, info, f.offsets[info.ID])
}

func (f *segmentFiler) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil && err != nil {
		f.err = fmt.Errorf("rotate log: %w", err)
	}
}

// rotated is called with raft-wal's write lock held when the table has been
// written, or has not because of err, after which there will be no rotation.
func (f *segmentFiler) rotated(err error) {
	f.note(err)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rotation != nil {
		close(f.rotation)
		f.rotation = nil
	}
}

func (f *segmentFiler) awaitRotation() error {
	f.mu.Lock()
	r := f.rotation
	f.mu.Unlock()
	if r != nil {
		<-r
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
