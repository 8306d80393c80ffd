package store

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// vote casts a vote as raft does.
func vote(t testing.TB, s *Stores, term uint64, candidate string) {
	t.Helper()
	must(t, s.Stable.SetUint64(keyVoteTerm, term))
	must(t, s.Stable.Set(keyVoteCand, []byte(candidate)))
}

// wantVote wants a vote, or none if the candidate is "".
func wantVote(t testing.TB, s *Stores, term uint64, candidate string) {
	t.Helper()
	gotTerm, termErr := s.Stable.GetUint64(keyVoteTerm)
	gotCand, candErr := s.Stable.Get(keyVoteCand)
	var want error
	if candidate == "" {
		want = ErrNotFound
	}
	if gotTerm != term || string(gotCand) != candidate || !errors.Is(termErr, want) || !errors.Is(candErr, want) {
		t.Errorf("the vote is for %q (%v) in term %d (%v), want %q in %d", gotCand, candErr, gotTerm, termErr, candidate, term)
	}
}

// commits counts the writes to the file of the vote.
func commits(t testing.TB, s *Stores) int {
	t.Helper()
	tx, err := s.stable.db.Begin(false)
	must(t, err)
	defer tx.Rollback()
	return tx.ID()
}

// killed opens what a kill of the process would leave now.
func killed(t testing.TB, cfg Config) *Stores {
	t.Helper()
	dir := t.TempDir()
	left := cfg
	left.DataDir, left.DataLogDir = filepath.Join(dir, "data"), filepath.Join(dir, "log")
	copyTree(t, cfg.DataDir, left.DataDir)
	copyTree(t, cfg.DataLogDir, left.DataLogDir)
	return mustOpen(t, left)
}

func TestVoteIsOneWrite(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	s := mustOpen(t, cfg)
	must(t, s.Stable.SetUint64(keyTerm, 5))
	must(t, s.Stable.SetUint64(keyVoteTerm, 5))
	wantVote(t, killed(t, cfg), 0, "")
	must(t, s.Stable.Set(keyVoteCand, []byte("A")))
	wantVote(t, s, 5, "A")

	must(t, s.Stable.SetUint64(keyTerm, 7))
	before := commits(t, s)
	must(t, s.Stable.SetUint64(keyVoteTerm, 7))
	wantVote(t, s, 5, "A")
	left := killed(t, cfg)
	wantVote(t, left, 5, "A")
	if term, err := left.stable.term(); err != nil || term != 7 {
		t.Errorf("term %d, %v, want 7", term, err)
	}
	must(t, s.Stable.Set(keyVoteCand, []byte("S")))
	wantVote(t, s, 7, "S")
	wantVote(t, killed(t, cfg), 7, "S")
	if n := commits(t, s) - before; n != 1 {
		t.Errorf("a vote took %d writes, want 1", n)
	}
	mustClose(t, s)
	if err := s.Stable.SetUint64(keyVoteTerm, 8); !errors.Is(err, ErrClosed) {
		t.Errorf("SetUint64 after Close: %v", err)
	}

	// As raft-boltdb has it.
	b, err := raftboltdb.NewBoltStore(s.stablePath())
	must(t, err)
	for key, want := range map[string]string{"LastVoteTerm": "\x00\x00\x00\x00\x00\x00\x00\x07", "LastVoteCand": "S"} {
		sealed, err := b.Get([]byte(key))
		must(t, err)
		if v, err := openValue([]byte(key), sealed); err != nil || string(v) != want {
			t.Errorf("%s is %q, %v, want %q", key, v, err, want)
		}
	}
	must(t, b.Close())
}

// After a vote that could not be written there is no other, and the owner is told.
func TestVoteNotWritten(t *testing.T) {
	var told []error
	cfg := testConfig(t, KindWAL)
	cfg.OnFail = func(err error) { told = append(told, err) }
	s := mustOpen(t, cfg)
	vote(t, s, 5, "A")
	db := s.stable.db
	s.stable.db = new(bbolt.DB) // not open
	must(t, s.Stable.SetUint64(keyVoteTerm, 7))
	if err := s.Stable.Set(keyVoteCand, []byte("S")); !errors.Is(err, berrors.ErrDatabaseNotOpen) {
		t.Errorf("voted without a file: %v", err)
	}
	s.stable.db = db
	for _, key := range [][]byte{keyVoteTerm, keyVoteCand, keyTerm} {
		if err := s.Stable.SetUint64(key, 8); !errors.Is(err, berrors.ErrDatabaseNotOpen) {
			t.Errorf("%s is written after a failure: %v", key, err)
		}
	}
	if len(told) != 1 || !errors.Is(told[0], berrors.ErrDatabaseNotOpen) {
		t.Errorf("told of %v", told)
	}
	wantVote(t, s, 5, "A")
	wantVote(t, killed(t, cfg), 5, "A")
}

// A server that was killed while it voted for itself must not take the request of
// whom it voted for before for one that it has granted: that one's log may lack what
// has been committed since.
func TestVoteCutShort(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	s := mustOpen(t, cfg)
	servers := raft.Configuration{Servers: []raft.Server{{ID: "S", Address: "S"}, {ID: "A", Address: "A"}, {ID: "B", Address: "B"}}}
	must(t, s.Stable.SetUint64(keyTerm, 7))
	must(t, s.Log.StoreLogs([]*raft.Log{
		{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(servers)},
		{Index: 2, Term: 6, Type: raft.LogCommand},
	}))
	vote(t, s, 5, "A")
	must(t, s.Stable.SetUint64(keyVoteTerm, 7))
	s = killed(t, cfg)

	conf := raft.DefaultConfig()
	conf.LocalID = "S"
	conf.Logger = hclog.NewNullLogger()
	conf.HeartbeatTimeout, conf.ElectionTimeout = time.Hour, time.Hour
	_, own := raft.NewInmemTransport("S")
	_, peer := raft.NewInmemTransport("A")
	peer.Connect("S", own)
	r, err := raft.NewRaft(conf, &bytesFSM{}, s.Log, s.Stable, s.Snapshots, own)
	must(t, err)
	for _, tt := range []struct {
		name        string
		index, term uint64 // of the candidate's last entry
		granted     bool
	}{
		{"A lacks entry 2", 1, 1, false},
		{"A has it", 2, 6, true},
	} {
		req := raft.RequestVoteRequest{
			RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("A"), Addr: []byte("A")},
			Term:      7, LastLogIndex: tt.index, LastLogTerm: tt.term,
		}
		var resp raft.RequestVoteResponse
		must(t, peer.RequestVote("S", "S", &req, &resp))
		if resp.Granted != tt.granted {
			t.Errorf("%s: granted %v, want %v", tt.name, resp.Granted, tt.granted)
		}
	}
	must(t, r.Shutdown().Error())
	wantVote(t, killed(t, s.cfg), 7, "A")
}
