package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

const (
	// spareName is not the name of a segment: neither raft-wal nor verifyLog
	// look at it. spareFormat is that of a former segment's file, with its id.
	spareName   = "spare"
	spareFormat = spareName + "-%016x"
	// spareChunk is what is written at a time. A write of the log, or a sync, that
	// comes meanwhile waits for no more than this.
	spareChunk = 256 << 10
	// spareWrite is the size of a write to the log from which on it counts as
	// bulk: it would gain less by written blocks than they cost.
	spareWrite = 128 << 10
	// maxKept is how many files of former segments are kept.
	maxKept = 4
	// spareRoom is how many segments the file system must have room for.
	spareRoom = 4
)

// spare has files for the next segments. To write into blocks that were written
// before takes the disk no change of metadata, as the first write into each
// preallocated block does. As a rule they are files of segments that are not
// needed any more; what those left in them is told from what is written later by
// the tags of the sectors (sector.go).
//
// While there is none, one is written full of zeros as the tail is in use. It is
// made as the log is written: all of it while the log fills half of
// what the tail had left, or a quarter of the tail if that is more. So an idle
// server makes none, and no clock is needed. If it is not ready when a segment
// is, that one is preallocated instead.
//
// Invariant: a file called spareName holds nothing of worth, and is never used
// by a process that has not written all of it: what is left of an earlier one
// is removed. It is not written over, for if a crash tore the rename apart, the
// file has the name of a segment too.
//
// Invariant: a file that is kept has the id of the last segment it was in its
// name, and its tags are that one's and older ones'. The table gives ids in
// rising order, so no segment to come finds its own tag there. One whose id the
// table has not given yet, as where a backup of the table came back, is removed.
type spare struct {
	dir    string
	size   int64 // of a segment's file: whole blocks
	log    hclog.Logger
	free   func() (uint64, error) // bytes on the file system
	direct direct
	// left is what an earlier process left of no use, to be removed by run.
	left []string
	// ended is called, if set, when one is ready or could not be made.
	ended func(error)

	wake chan struct{} // has room for one
	stop chan struct{}
	done chan struct{} // nil if start has not been called
	once sync.Once

	mu    sync.Mutex
	room  int64 // bytes of log in which it is made, 0 if none came yet
	due   int64 // so much of it may be written
	made  int64 // so much of it is
	ready bool
	kept  []string // paths of files of former segments
	// thrifty is whether nothing is made or kept, for lack of room.
	thrifty bool
	// resting is whether nothing is made until the next segment, after a
	// failure.
	resting bool
}

func newSpare(dir string, cfg Config) *spare {
	return &spare{
		dir: dir, size: sectoredSize(int64(cfg.segmentBytes)), log: cfg.Log, ended: cfg.spareEnded, direct: direct{log: cfg.Log},
		free: func() (uint64, error) { sp, err := space(dir); return sp.Free, err },
		wake: make(chan struct{}, 1), stop: make(chan struct{}),
	}
}

// inherit looks for what an earlier process left, beside what the table names.
// Files of former segments it keeps. What is of no use is removed when the work
// begins, for it takes a file system a while; all of it is at once where there is
// little room.
func (s *spare) inherit(table types.PersistentState) error {
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		var id uint64
		n, _ := fmt.Sscanf(f.Name(), spareFormat, &id)
		kept := n == 1 && f.Name() == fmt.Sprintf(spareFormat, id)
		if !kept && f.Name() != spareName {
			continue
		}
		path := filepath.Join(s.dir, f.Name())
		if kept && id >= table.NextSegmentID {
			s.log.Warn("the log's table is older than a file of a former segment, which is removed", "path", path)
		}
		if kept && id < table.NextSegmentID && len(s.kept) < maxKept && s.usable(path, id, table) {
			s.kept = append(s.kept, path)
		} else {
			s.left = append(s.left, path)
		}
	}
	if s.scarce() != nil {
		s.remove(append(s.left, s.kept...))
		s.left, s.kept = nil, nil
	}
	return nil
}

// fit says why a file cannot become a segment: it is too short, or has another
// name, as by a backup of links.
func (s *spare) fit(path string) (os.FileInfo, error) {
	st, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if st.Size() < s.size {
		return nil, fmt.Errorf("it has %d bytes, made with %d", st.Size(), s.size)
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); !ok || sys.Nlink != 1 || !st.Mode().IsRegular() {
		return nil, errors.New("it is no file, or one with another name")
	}
	return st, nil
}

// usable says whether a file that an earlier process left can become a segment. It
// must not be in use, as it could be by another name if a crash tore a rename apart,
// nor have been a segment since it was given its name, as a copy may that was made
// while a server used it: the first sector is the first that is written.
func (s *spare) usable(path string, id uint64, table types.PersistentState) bool {
	st, err := s.fit(path)
	if err != nil || slices.ContainsFunc(table.Segments, func(info types.SegmentInfo) bool {
		used, err := os.Lstat(filepath.Join(s.dir, segment.FileName(info)))
		return err == nil && os.SameFile(st, used)
	}) {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var first [sectorBytes]byte
	if _, err := f.ReadAt(first[:], 0); err != nil {
		return false
	}
	was := tag(binary.LittleEndian.Uint64(first[sectorContent:]))
	return zero(first[:]) || was == tagOf(uint64(was)) && uint64(uint32(was)) <= id
}

// remove removes files durably: a name that came back might be one of a file that
// is something else by now.
func (s *spare) remove(paths []string) {
	if len(paths) == 0 {
		return
	}
	var err error
	for _, path := range paths {
		err = errors.Join(err, removeIfThere(path))
	}
	if err = errors.Join(err, syncDir(s.dir)); err != nil {
		s.log.Warn("cannot remove spare files of the log; the next start will", "path", s.path(), "error", err)
	}
}

// start begins the work in the background, which close ends.
func (s *spare) start() {
	s.done = make(chan struct{})
	go s.run()
}

// close waits for the write that is running. It may be called again.
func (s *spare) close() {
	s.once.Do(func() { close(s.stop) })
	if s.done != nil {
		<-s.done
	}
}

func (s *spare) path() string { return filepath.Join(s.dir, spareName) }

// grew says that n bytes were written to the tail, which takes limit of them, and
// end there. It does not block.
func (s *spare) grew(n, end, limit int64) {
	if n >= spareWrite {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready || s.resting || s.thrifty || len(s.kept) > 0 {
		return
	}
	if s.room == 0 {
		s.room = max((limit-end)/2, limit/4)
	}
	s.due += n * s.size / s.room
	if s.chunkLocked() > 0 { // a wakeup for each write would cost more than the spare saves
		s.poke()
	}
}

func (s *spare) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// keep takes the file of a segment that the table names no more, and reports
// whether it has. It does not take the first one's, most of which was never
// written to. Only one goroutine at a time may call it.
func (s *spare) keep(baseIndex, id uint64) bool {
	s.mu.Lock()
	full := s.thrifty || len(s.kept) == maxKept
	s.mu.Unlock()
	if full || id == firstSegment {
		return false
	}
	former := filepath.Join(s.dir, segment.FileName(types.SegmentInfo{BaseIndex: baseIndex, ID: id}))
	path := filepath.Join(s.dir, fmt.Sprintf(spareFormat, id))
	_, err := s.fit(former)
	if err == nil {
		err = os.Rename(former, path)
	}
	if err != nil {
		s.log.Debug("cannot keep the file of a former segment", "path", former, "error", err)
		return false
	}
	s.mu.Lock()
	thrifty := s.thrifty
	if !thrifty {
		s.kept = append(s.kept, path)
	}
	s.mu.Unlock()
	s.poke()
	if thrifty {
		s.remove([]string{path})
	}
	return true
}

// thrift has nothing made or kept from now on, and gives back the room of what
// is there, or ends that. It blocks while files are removed.
func (s *spare) thrift(on bool) {
	s.mu.Lock()
	s.thrifty = on
	var drop []string
	if on {
		drop, s.kept = s.kept, nil
		if s.ready {
			s.ready = false
			drop = append(drop, s.path())
		}
	}
	s.mu.Unlock()
	s.poke()
	s.remove(drop)
}

// take gives a spare the name of a segment of size bytes, durably. If there is
// none it reports false, and the caller makes the file.
func (s *spare) take(name string, size int64) (bool, error) {
	path := s.next(size)
	if path == "" {
		return false, nil
	}
	// One that someone cut meanwhile would be refused as a segment at the next
	// start. One that was a segment may have grown by its last write.
	_, err := s.fit(path)
	if err == nil {
		err = os.Rename(path, filepath.Join(s.dir, name))
	}
	if err != nil {
		s.log.Warn("cannot use a spare file of the log", "path", path, "error", err)
		s.remove([]string{path})
		return false, nil
	}
	return true, syncDir(s.dir)
}

// next returns the path of a spare for a file of size bytes, which is none any
// more, or an empty one.
func (s *spare) next(size int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resting = false
	switch last := len(s.kept) - 1; {
	case size != s.size:
		return ""
	case s.ready:
		s.ready = false
		return s.path()
	case last >= 0:
		path := s.kept[last]
		s.kept = s.kept[:last]
		return path
	}
	return ""
}

// chunkLocked returns the length of the chunk that is due, 0 if none is.
func (s *spare) chunkLocked() int64 {
	if n := min(spareChunk, s.size-s.made); s.made+n <= s.due {
		return n
	}
	return 0
}

// await returns the length of the next chunk when it is due. It is ErrClosed after
// close, and errUnwanted when none is needed any more while one is being made.
func (s *spare) await(making bool) (int64, error) {
	for {
		select {
		case <-s.stop:
			return 0, ErrClosed
		default:
		}
		s.mu.Lock()
		n := s.chunkLocked()
		unwanted := s.thrifty || len(s.kept) > 0
		if s.ready || s.resting || unwanted {
			n = 0
		}
		s.mu.Unlock()
		switch {
		case n > 0:
			return n, nil
		case making && unwanted:
			return 0, errUnwanted
		}
		select {
		case <-s.stop:
			return 0, ErrClosed
		case <-s.wake:
		}
	}
}

// set says how the making of a spare has ended.
func (s *spare) set(err error) {
	s.mu.Lock()
	drop := err == nil && s.thrifty
	s.ready, s.resting = err == nil && !drop, err != nil && !errors.Is(err, errUnwanted)
	s.room, s.due, s.made = 0, 0, 0
	s.mu.Unlock()
	if drop {
		s.remove([]string{s.path()})
	}
	if s.ended != nil {
		s.ended(err)
	}
}

func (s *spare) run() {
	defer close(s.done)
	s.remove(s.left)
	for {
		if _, err := s.await(false); err != nil {
			return
		}
		err := s.make()
		s.set(err)
		switch {
		case errors.Is(err, ErrClosed):
			return
		case errors.Is(err, errScarce), errors.Is(err, errUnwanted):
			s.log.Debug("segment not made ahead", "path", s.path(), "error", err)
		case err != nil:
			s.log.Warn("cannot make a segment ahead; the next one will be slower", "path", s.path(), "error", err)
		}
	}
}

var (
	// errScarce is wrapped by the error of make when the disk is nearly full.
	errScarce = errors.New("little room on the file system")
	// errUnwanted is that of make when none is needed any more.
	errUnwanted = errors.New("there is another file, or no room for one")
)

// scarce is an error if the file system has little room, or does not say how much.
func (s *spare) scarce() error {
	free, err := s.free()
	if err == nil && free < spareRoom*uint64(s.size) {
		err = fmt.Errorf("%w: %d bytes", errScarce, free)
	}
	return err
}

// make makes the spare, chunk by chunk as they become due. Without an error it
// is durable but for its name.
func (s *spare) make() (err error) {
	if err := s.scarce(); err != nil {
		return err
	}
	if err := removeIfThere(s.path()); err != nil {
		return err
	}
	f, err := os.OpenFile(s.path(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	df := s.direct.open(f)
	defer func() {
		if err = errors.Join(err, df.Close()); err != nil {
			err = errors.Join(err, os.Remove(s.path()))
		}
	}()
	blank := alignedBytes(spareChunk)
	for at := int64(0); at < s.size; {
		n, err := s.await(true)
		if err != nil {
			return err
		}
		if err := errors.Join(df.writeBlocks(blank[:n], at), df.flush()); err != nil {
			return err
		}
		at += n
		s.mu.Lock()
		s.made = at
		s.mu.Unlock()
	}
	return syncFile(f)
}
