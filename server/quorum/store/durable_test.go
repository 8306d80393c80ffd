package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// disk knows what a loss of power would leave of a directory: of each file the bytes
// that it had when it was last synced, of each directory its names.
type disk struct {
	mu    sync.Mutex
	all   []synced
	seen  int    // syncs since the last call of begin, but for those of files made ahead
	fail  int    // which of them fails; 0 for none
	where string // that has failed
}

type synced struct {
	os.FileInfo
	sum   [sha256.Size]byte      // of a file
	names map[string]os.FileInfo // of a directory
}

var errSync = errors.New("sync: no")

// watchDisk sees the syncs of all stores that are opened and closed before the test ends.
func watchDisk(t *testing.T) *disk {
	d := &disk{}
	file, data := syncFile, syncData
	syncFile = func(f *os.File) error { return errors.Join(d.sync(f), file(f)) }
	syncData = func(f *os.File) error { return errors.Join(d.sync(f), data(f)) }
	t.Cleanup(func() { syncFile, syncData = file, data })
	return d
}

// begin has a sync fail from now on, and says of which file or directory one has failed.
func (d *disk) begin(fail int) (failed string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	failed = d.where
	d.seen, d.fail, d.where = 0, fail, ""
	return failed
}

func (d *disk) sync(f *os.File) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !strings.HasPrefix(info.Name(), spareName) {
		if d.seen++; d.seen == d.fail {
			d.where = info.Name()
			return errSync
		}
	}
	now := synced{FileInfo: info}
	if info.IsDir() {
		now.names, err = namesIn(f.Name())
	} else {
		now.sum, err = sumOf(f.Name())
	}
	d.all = append(slices.DeleteFunc(d.all, func(s synced) bool { return os.SameFile(s.FileInfo, info) }), now)
	return err
}

// of is what was synced of a file or directory; nothing if it never was.
func (d *disk) of(info os.FileInfo) synced {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := slices.IndexFunc(d.all, func(s synced) bool { return os.SameFile(s.FileInfo, info) }); i >= 0 {
		return d.all[i]
	}
	return synced{}
}

func namesIn(dir string) (map[string]os.FileInfo, error) {
	list, err := os.ReadDir(dir)
	all := make(map[string]os.FileInfo)
	for _, e := range list {
		info, ierr := e.Info()
		if errors.Is(ierr, fs.ErrNotExist) {
			continue // a file made ahead that has got another name
		}
		all[e.Name()], err = info, errors.Join(err, ierr)
	}
	return all, err
}

// sumOf is that of the content; of the zeros that a segment is made with it is zero.
func sumOf(path string) (sum [sha256.Size]byte, err error) {
	b, err := os.ReadFile(path)
	if len(bytes.Trim(b, "\x00")) > 0 {
		sum = sha256.Sum256(b)
	}
	return sum, err
}

// mustHold wants all that is below root to be as the disk has it. bbolt syncs its files
// itself; the lock, files made ahead and segments without content are nothing to keep.
func (d *disk) mustHold(t *testing.T, root, when string) {
	t.Helper()
	look := func(path string, err error) error {
		name := filepath.Base(path)
		if path == root || name == "lock" || filepath.Ext(name) == tmpSuffix || strings.HasPrefix(name, spareName) {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if !info.IsDir() && filepath.Ext(name) != ".db" {
			sum, err := sumOf(path)
			if err != nil || sum == [sha256.Size]byte{} {
				return err
			}
			if d.of(info).sum != sum {
				t.Fatalf("%s: the content of %s is not durable", when, path)
			}
		}
		named := func() bool {
			dir, err := os.Lstat(filepath.Dir(path))
			must(t, err)
			was := d.of(dir).names[name]
			return was != nil && os.SameFile(was, info)
		}
		// raft-wal has the next segment made when a call has returned that filled one.
		for end := time.Now().Add(10 * time.Second); name == tableName && !named() && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
			info, err = os.Lstat(path)
			must(t, err)
		}
		if !named() {
			t.Fatalf("%s: the name %s is not durable", when, path)
		}
		return nil
	}
	must(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		// A segment that is not needed any more goes, or becomes one made ahead.
		if err = look(path, err); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}))
}

// step is a call whose outcome must be durable when it returns.
type step struct {
	name string
	do   func(*Stores) error
}

func durableSteps() []step {
	append := func(lo, hi uint64) func(*Stores) error {
		return func(s *Stores) error { return s.Log.StoreLogs(entries(lo, hi, 600)) }
	}
	steps := []step{
		{"identity", func(s *Stores) error { return s.SetCluster("cluster") }},
		{"first entry", append(1, 1)},
	}
	for i := uint64(0); i < 8; i++ { // several segments
		steps = slices.Concat(steps, []step{{"entries", append(2+i*5, 6+i*5)}})
	}
	return slices.Concat(steps, []step{
		{"snapshot", func(s *Stores) error {
			_, trans := raft.NewInmemTransport("127.0.0.1:3888")
			sink, err := s.Snapshots.Create(raft.SnapshotVersionMax, 30, 1, raft.Configuration{}, 1, trans)
			if err != nil {
				return err
			}
			_, err = sink.Write(pseudo(1, 100_000))
			return errors.Join(err, sink.Close())
		}},
		{"compaction", func(s *Stores) error { return s.Log.DeleteRange(1, 20) }},
		{"cut", func(s *Stores) error { return s.Log.DeleteRange(38, 41) }},
		{"entries behind the cut", append(38, 45)},
	})
}

// TestDurable: what a call has written is durable when it returns, file and name.
func TestDurable(t *testing.T) {
	for _, kind := range []string{KindWAL, KindBoltDB} {
		t.Run(kind, func(t *testing.T) {
			d, dir := watchDisk(t), t.TempDir()
			cfg := Config{DataDir: dir, Kind: kind, SID: 1, segmentBytes: 8 << 10}
			s := mustOpen(t, cfg)
			defer s.Close()
			must(t, s.Stable.SetUint64(keyTerm, 1000))
			d.mustHold(t, dir, "open")
			for _, st := range durableSteps() {
				if err := st.do(s); err != nil {
					t.Fatalf("%s: %v", st.name, err)
				}
				d.mustHold(t, dir, st.name)
			}
		})
	}
}

// TestSyncFails: a call fails whose outcome may not be durable. Where the next segment
// cannot be made, a later one does.
func TestSyncFails(t *testing.T) {
	d := watchDisk(t)
	failed := make(map[string]int)
	steps := durableSteps()
	for i, st := range steps[:slices.IndexFunc(steps, func(s step) bool { return s.name == "compaction" })] {
		for fail := 1; ; fail++ {
			s := mustOpen(t, Config{DataDir: t.TempDir(), SID: 1, segmentBytes: 8 << 10})
			must(t, s.Stable.SetUint64(keyTerm, 1000))
			for _, before := range steps[:i] {
				must(t, before.do(s))
			}
			d.begin(fail)
			err := st.do(s)
			where := d.begin(0)
			if where == "log" || where == tableName+tmpSuffix {
				for _, later := range steps[i+1:] {
					err = errors.Join(err, later.do(s))
				}
			}
			_ = s.Close()
			if where == "" {
				break
			}
			if failed[st.name]++; err == nil {
				t.Errorf("%s: nothing fails, though a sync of %s does", st.name, where)
			}
		}
	}
	for _, name := range []string{"identity", "first entry", "entries", "snapshot"} {
		if failed[name] == 0 {
			t.Errorf("%s: nothing was synced", name)
		}
	}
}

// TestBoltSyncs: bbolt syncs votes, and entries if it has the log, before a call returns.
func TestBoltSyncs(t *testing.T) {
	s := mustOpen(t, Config{DataDir: t.TempDir(), Kind: KindBoltDB, SID: 1})
	l := reflect.ValueOf(s.log.inner.(*boltLog).BoltStore).Elem().FieldByName("conn").Elem()
	for name, db := range map[string]reflect.Value{"votes": reflect.ValueOf(s.stable.db).Elem(), "log": l} {
		for _, flag := range []string{"NoSync", "NoGrowSync"} {
			if db.FieldByName(flag).Bool() {
				t.Errorf("%s: %s is set", name, flag)
			}
		}
	}
}
