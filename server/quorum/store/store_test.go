package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
)

var kinds = []string{KindWAL, KindBoltDB}

func testConfig(t testing.TB, kind string) Config {
	dir := t.TempDir()
	return Config{
		DataDir: filepath.Join(dir, "data"), DataLogDir: filepath.Join(dir, "log"),
		Kind: kind, SID: 1, segmentBytes: 64 << 10,
	}
}

func mustOpen(t testing.TB, cfg Config) *Stores {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// mustRefuse opens and wants an error with all of the words.
func mustRefuse(t testing.TB, cfg Config, words ...string) {
	t.Helper()
	s, err := Open(cfg)
	if err == nil {
		_ = s.Close()
		t.Fatalf("Open succeeded, want an error with %q", words)
	}
	if !errors.Is(err, ErrDataDir) {
		t.Errorf("Open: %v, which is not ErrDataDir", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("Open: %v, want it to say %q", err, w)
		}
	}
}

func mustClose(t testing.TB, s *Stores) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pseudo returns n bytes that depend on seed and hold no long run of zeros.
func pseudo(seed uint64, n int) []byte {
	b := make([]byte, n)
	x := seed*0x9e3779b97f4a7c15 + 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x >> 32)
	}
	return b
}

func entry(index uint64, size int) *raft.Log {
	return &raft.Log{
		Index: index, Term: 1 + index/100, Type: raft.LogCommand, Data: pseudo(index, size),
		AppendedAt: time.Unix(1700000000, int64(index)).UTC(),
	}
}

func entries(lo, hi uint64, size int) []*raft.Log {
	var logs []*raft.Log
	for i := lo; i <= hi; i++ {
		logs = append(logs, entry(i, size))
	}
	return logs
}

// fill stores entries lo to hi, batch at a time, with a term to go with them.
func fill(t testing.TB, s *Stores, lo, hi uint64, batch, size int) {
	t.Helper()
	must(t, s.Stable.SetUint64(keyTerm, 1000))
	for ; lo <= hi; lo += uint64(batch) {
		must(t, s.Log.StoreLogs(entries(lo, min(hi, lo+uint64(batch)-1), size)))
	}
}

func wantLog(t testing.TB, s *Stores, lo, hi uint64, size int) {
	t.Helper()
	first, err := s.Log.FirstIndex()
	must(t, err)
	last, err := s.Log.LastIndex()
	must(t, err)
	if first != lo || last != hi {
		t.Fatalf("log from %d to %d, want %d to %d", first, last, lo, hi)
	}
	for i := lo; i <= hi && hi > 0; i++ {
		var got raft.Log
		if err := s.Log.GetLog(i, &got); err != nil {
			t.Fatalf("GetLog(%d): %v", i, err)
		}
		if want := entry(i, size); fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", *want) {
			t.Fatalf("GetLog(%d):\n got %+v\nwant %+v", i, got, *want)
		}
	}
	for _, i := range []uint64{lo - 1, hi + 1} {
		if err := s.Log.GetLog(i, new(raft.Log)); err != raft.ErrLogNotFound {
			t.Fatalf("GetLog(%d) beside the log: %v", i, err)
		}
	}
}

// takeSnapshot writes a snapshot of data.
func takeSnapshot(t testing.TB, s *Stores, index, term uint64, data []byte) string {
	t.Helper()
	conf := raft.Configuration{Servers: []raft.Server{{ID: "1", Address: "127.0.0.1:3888"}, {ID: "2", Address: "127.0.0.2:3888"}}}
	_, trans := raft.NewInmemTransport("127.0.0.1:3888")
	sink, err := s.Snapshots.Create(raft.SnapshotVersionMax, index, term, conf, 1, trans)
	must(t, err)
	for rest := data; len(rest) > 0; {
		n, err := sink.Write(rest[:min(len(rest), 100_000)])
		must(t, err)
		rest = rest[n:]
	}
	must(t, sink.Close())
	must(t, sink.Close()) // raft closes it a second time
	return sink.ID()
}

// bytesFSM keeps what it is restored from.
type bytesFSM struct {
	data     []byte
	restored int
	fail     error
}

func (f *bytesFSM) Apply(l *raft.Log) any               { f.data = append(f.data, l.Data...); return nil }
func (f *bytesFSM) Snapshot() (raft.FSMSnapshot, error) { return bytesSnapshot(f.data), nil }
func (f *bytesFSM) Restore(r io.ReadCloser) error {
	defer r.Close()
	f.restored++
	b, err := io.ReadAll(r)
	f.data = b
	return errors.Join(err, f.fail)
}

type bytesSnapshot []byte

func (b bytesSnapshot) Persist(sink raft.SnapshotSink) error {
	if _, err := sink.Write(b); err != nil {
		return err
	}
	return sink.Close()
}
func (bytesSnapshot) Release() {}

func TestReopen(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			cfg := testConfig(t, kind)
			s := mustOpen(t, cfg)
			if !s.Blank() {
				t.Error("a new store is not blank")
			}
			wantLog(t, s, 0, 0, 0)
			fill(t, s, 1, 300, 7, 1000) // several segments
			must(t, s.Stable.Set([]byte("LastVoteCand"), []byte("2")))
			wantLog(t, s, 1, 300, 1000)
			if n := s.watch.cfg.Metrics.FlushTime.Figures().Count; n != 43 {
				t.Errorf("%d log writes counted, want 43", n)
			}
			must(t, s.Log.DeleteRange(1, 100))
			must(t, s.Log.DeleteRange(290, 300))
			wantLog(t, s, 101, 289, 1000)
			takeSnapshot(t, s, 100, 2, []byte("state"))
			must(t, s.SetCluster("c1"))
			id := s.Identity()
			mustClose(t, s)
			mustClose(t, s)
			if err := s.Log.StoreLogs(entries(290, 290, 1)); !errors.Is(err, ErrClosed) {
				t.Errorf("StoreLogs after Close: %v", err)
			}
			if err := s.Stable.Set([]byte("x"), nil); !errors.Is(err, ErrClosed) {
				t.Errorf("Set after Close: %v", err)
			}

			s = mustOpen(t, cfg)
			if s.Blank() {
				t.Error("a store with a log is blank")
			}
			wantLog(t, s, 101, 289, 1000)
			if got := s.Identity(); got != id || got.Cluster != "c1" || got.SID != 1 || got.Disk == [16]byte{} {
				t.Errorf("identity %+v, want %+v", got, id)
			}
			if v, err := s.Stable.Get([]byte("LastVoteCand")); err != nil || string(v) != "2" {
				t.Errorf("Get: %q, %v", v, err)
			}
			if _, err := s.Stable.Get([]byte("missing")); err == nil || err.Error() != "not found" {
				t.Errorf("Get of a missing key: %v, raft wants %q", err, "not found")
			}
			fill(t, s, 290, 400, 1, 1000)
			mustClose(t, s)
			s = mustOpen(t, cfg)
			wantLog(t, s, 101, 400, 1000)
			if snap, log := s.Sizes(); snap < 5 || log < 64<<10 {
				t.Errorf("Sizes: %d, %d", snap, log)
			}
		})
	}
}

// Blank is who has neither voted nor stored anything.
func TestBlank(t *testing.T) {
	for _, tt := range []struct {
		name string
		did  func(*testing.T, *Stores)
		want bool
	}{
		{"nothing", func(*testing.T, *Stores) {}, true},
		{"a term", func(t *testing.T, s *Stores) { must(t, s.Stable.SetUint64(keyTerm, 1)) }, true},
		{"a later term", func(t *testing.T, s *Stores) { must(t, s.Stable.SetUint64(keyTerm, 9)) }, true},
		{"a vote", func(t *testing.T, s *Stores) {
			must(t, s.Stable.SetUint64(keyTerm, 1))
			vote(t, s, 1, "2")
		}, false},
		{"half a vote", func(t *testing.T, s *Stores) {
			must(t, s.Stable.SetUint64(keyTerm, 1))
			must(t, s.stable.db.Update(func(tx *bbolt.Tx) error {
				return tx.Bucket([]byte(boltConf)).Put(keyVoteTerm, sealValue(keyVoteTerm, pseudo(1, 8)))
			}))
		}, false},
		{"an entry", func(t *testing.T, s *Stores) { fill(t, s, 1, 1, 1, 10) }, false},
		{"a snapshot", func(t *testing.T, s *Stores) {
			must(t, s.Stable.SetUint64(keyTerm, 1))
			takeSnapshot(t, s, 1, 1, nil)
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig(t, KindWAL)
			s := mustOpen(t, cfg)
			tt.did(t, s)
			mustClose(t, s)
			if s = mustOpen(t, cfg); s.Blank() != tt.want {
				t.Errorf("blank is %v, want %v", s.Blank(), tt.want)
			}
		})
	}
}

// Truncations and appends in many orders, against a map.
func TestLogModel(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			cfg := testConfig(t, kind)
			cfg.segmentBytes = 8 << 10
			s := mustOpen(t, cfg)
			must(t, s.Stable.SetUint64(keyTerm, 1000))
			rnd := uint64(1)
			next := func(n uint64) uint64 { rnd = rnd*6364136223846793005 + 1442695040888963407; return (rnd >> 33) % n }
			lo, hi := uint64(1), uint64(0)
			for range 60 {
				switch op := next(10); {
				case op < 6:
					n := 1 + next(20)
					must(t, s.Log.StoreLogs(entries(hi+1, hi+n, 300)))
					hi += n
				case op < 7 && hi > lo:
					cut := lo + 1 + next(hi-lo) // keeps lo
					must(t, s.Log.DeleteRange(cut, hi))
					hi = cut - 1
				case op < 8 && hi > lo:
					cut := lo + next(hi-lo)
					must(t, s.Log.DeleteRange(lo, cut))
					lo = cut + 1
					takeSnapshot(t, s, cut, 1+cut/100, nil)
				case op < 9:
					mustClose(t, s)
					s = mustOpen(t, cfg)
				}
				if hi >= lo {
					wantLog(t, s, lo, hi, 300)
				}
			}
		})
	}
}

func TestRaftOnStores(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			cfg := testConfig(t, kind)
			var want []byte
			for round := range 3 {
				s := mustOpen(t, cfg)
				f := &bytesFSM{}
				index, err := s.Restore(f)
				must(t, err)
				if (round > 0) != (index > 0) {
					t.Fatalf("round %d: restored to index %d", round, index)
				}
				conf := raft.DefaultConfig()
				conf.LocalID = "1"
				conf.NoSnapshotRestoreOnStart = true
				conf.Logger = hclog.NewNullLogger()
				conf.HeartbeatTimeout, conf.ElectionTimeout, conf.LeaderLeaseTimeout = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
				conf.TrailingLogs = 3
				_, trans := raft.NewInmemTransport("1")
				if s.Blank() {
					must(t, raft.BootstrapCluster(conf, s.Log, s.Stable, s.Snapshots, trans,
						raft.Configuration{Servers: []raft.Server{{ID: "1", Address: "1"}}}))
					must(t, s.SetCluster("c"))
				}
				r, err := raft.NewRaft(conf, f, s.Log, s.Stable, s.Snapshots, trans)
				must(t, err)
				if !<-r.LeaderCh() {
					t.Fatal("no leader")
				}
				for i := range 20 {
					b := fmt.Appendf(nil, "%d.%d ", round, i)
					must(t, r.Apply(b, time.Second).Error())
					want = append(want, b...)
					if i == 10 {
						must(t, r.Snapshot().Error())
					}
				}
				must(t, r.Shutdown().Error())
				if !bytes.Equal(f.data, want) {
					t.Fatalf("round %d: state %q, want %q", round, f.data, want)
				}
				mustClose(t, s)
			}
		})
	}
}

func TestTwoOpeners(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	s := mustOpen(t, cfg)
	mustRefuse(t, cfg, cfg.DataDir, "in use by process", fmt.Sprint(os.Getpid()))
	other := cfg
	other.DataDir = t.TempDir()
	mustRefuse(t, other, "dataLogDir "+cfg.DataLogDir, "in use")
	mustClose(t, s)
	mustOpen(t, cfg)
}

func TestGap(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			cfg := testConfig(t, kind)
			s := mustOpen(t, cfg)
			fill(t, s, 1, 50, 5, 100)
			old := takeSnapshot(t, s, 20, 1, []byte("old"))
			newest := takeSnapshot(t, s, 40, 1, []byte("new"))
			must(t, s.Log.DeleteRange(1, 40))
			mustClose(t, s)
			mustClose(t, mustOpen(t, cfg))
			snaps := filepath.Join(cfg.DataDir, "raft", "snapshots")
			must(t, os.RemoveAll(filepath.Join(snaps, newest)))
			mustRefuse(t, cfg, "ends at index 20", "begins at 41", "21 to 40 are lost")
			must(t, os.RemoveAll(filepath.Join(snaps, old)))
			mustRefuse(t, cfg, "ends at index 0", "begins at 41")
		})
	}
}

// A follower that got a snapshot and stopped before it dropped its old log.
func TestLogBehindSnapshot(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			cfg := testConfig(t, kind)
			s := mustOpen(t, cfg)
			fill(t, s, 1, 10, 5, 100)
			takeSnapshot(t, s, 30, 1, []byte("from the leader"))
			mustClose(t, s)
			s = mustOpen(t, cfg)
			must(t, s.Log.StoreLogs(entries(31, 35, 100)))
			mustClose(t, s)
			s = mustOpen(t, cfg)
			var l raft.Log
			must(t, s.Log.GetLog(35, &l))
		})
	}
}

// A former leader that got a snapshot and stopped before it dropped its log, which
// has another entry where that ends. Of its own snapshots the log goes on.
func TestLogBesideSnapshot(t *testing.T) {
	for _, kind := range kinds {
		for _, tt := range []struct {
			index, term uint64
			kept        bool
		}{{9, 1, true}, {10, 1, true}, {10, 2, false}, {20, 2, false}, {4, 2, true}} {
			t.Run(fmt.Sprintf("%s, entry %d of term %d", kind, tt.index, tt.term), func(t *testing.T) {
				cfg := testConfig(t, kind)
				s := mustOpen(t, cfg)
				fill(t, s, 1, 20, 5, 100) // of term 1
				if tt.kept && tt.term > 1 {
					must(t, s.Log.DeleteRange(1, tt.index)) // nothing to compare with
				}
				takeSnapshot(t, s, tt.index, tt.term, nil)
				mustClose(t, s)
				s = mustOpen(t, cfg)
				last, err := s.Log.LastIndex()
				must(t, err)
				if !tt.kept {
					wantLog(t, s, 0, 0, 0)
					must(t, s.Log.StoreLogs(entries(tt.index+1, tt.index+5, 100)))
					wantLog(t, s, tt.index+1, tt.index+5, 100)
				} else if last != 20 {
					t.Errorf("the log ends with %d", last)
				}
			})
		}
	}
}

// failingDeletions stops after some.
type failingDeletions struct {
	innerLog
	left int
}

func (l *failingDeletions) DeleteRange(lo, hi uint64) error {
	if l.left--; l.left < 0 {
		return errors.New("the process has ended")
	}
	return l.innerLog.DeleteRange(lo, hi)
}

// What is left of a log that was being dropped, for a snapshot, is known for that.
func TestDropInterrupted(t *testing.T) {
	cfg := testConfig(t, KindBoltDB)
	s := mustOpen(t, cfg)
	const last = deleteChunk + 100
	must(t, s.Stable.SetUint64(keyTerm, 1000))
	must(t, s.Log.StoreLogs(entries(1, last, 1)))
	takeSnapshot(t, s, 50, 900, nil)
	s.log.inner = &failingDeletions{s.log.inner, 1}
	if err := s.Log.DeleteRange(1, last); err == nil {
		t.Fatal("all was deleted at once")
	}
	wantLog(t, s, 1, 100, 1)
	mustClose(t, s)
	s = mustOpen(t, cfg)
	wantLog(t, s, 0, 0, 0)
}

// A gap is raft's own behind a snapshot, and a loss anywhere else.
func TestHole(t *testing.T) {
	cfg := testConfig(t, KindBoltDB)
	s := mustOpen(t, cfg)
	fill(t, s, 1, 10, 5, 100)
	takeSnapshot(t, s, 30, 1, nil)
	fill(t, s, 31, 40, 5, 100)
	mustClose(t, s)
	s = mustOpen(t, cfg)
	must(t, s.log.inner.DeleteRange(35, 35))
	mustClose(t, s)
	mustRefuse(t, cfg, "log.db", "log entry 35 is missing")
}

// When the table cannot be written, raft-wal goes on as if nothing were.
func TestRotationFails(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	s := mustOpen(t, cfg)
	fill(t, s, 1, 60, 1, 1000)
	dir := s.logPath()
	must(t, os.Mkdir(filepath.Join(dir, tableName+tmpSuffix), 0o755)) // in the way of the next table
	must(t, s.Log.StoreLogs(entries(61, 70, 1000)))                   // seals
	if err := s.Log.DeleteRange(65, 70); err == nil {
		t.Error("deleted after a failed rotation")
	}
	if err := s.Log.StoreLogs(entries(71, 71, 1000)); err == nil {
		t.Error("stored after a failed rotation")
	}
	mustClose(t, s)
	must(t, os.Remove(filepath.Join(dir, tableName+tmpSuffix)))
	s = mustOpen(t, cfg)
	wantLog(t, s, 1, 70, 1000)
}

func TestForgottenTerm(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	s := mustOpen(t, cfg)
	must(t, s.Stable.SetUint64(keyTerm, 2))
	must(t, s.Log.StoreLogs([]*raft.Log{{Index: 1, Term: 3}}))
	mustClose(t, s)
	mustRefuse(t, cfg, "knows term 2", "reach term 3")
}

func TestConfigErrors(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		name, want string
		cfg        Config
	}{
		{"no dataDir", "dataDir is not set", Config{}},
		{"kind", `unknown log store "lmdb"`, Config{DataDir: dir, Kind: "lmdb"}},
		{"retain", "cannot retain -1 snapshots", Config{DataDir: dir, SnapRetain: -1}},
		{"not a directory", "not a directory", Config{DataDir: "/dev/null"}},
	} {
		t.Run(tt.name, func(t *testing.T) { mustRefuse(t, tt.cfg, tt.want) })
	}
}
