package server

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"zooraft/fsm"
	"zooraft/zabcompat"
)

// SnapshotReport says what is in a snapshot.
type SnapshotReport struct {
	File           string         `json:"file"`
	Bytes          int64          `json:"bytes"` // of the file
	Zxid           zabcompat.Zxid `json:"zxid"`
	RaftIndex      uint64         `json:"raft_index"`
	ClusterID      string         `json:"cluster_id"`
	Znodes         int            `json:"znodes"`
	Ephemerals     int            `json:"ephemerals"`
	DataBytes      int64          `json:"data_bytes"` // as approximate_data_size: paths and data
	Sessions       int            `json:"sessions"`
	Digest         string         `json:"digest"`
	LargestSubtree []fsm.Subtree  `json:"largest_subtrees,omitempty"`
}

// snapshotState is the file of a snapshot's directory that holds the state.
const snapshotState = "state.bin"

// InspectSnapshot reads a snapshot to its end, checksum included, and says what is in
// it; top is how many of the largest subtrees are named. path is the file or the
// directory that it stands in. progress, which may be nil, hears of the bytes read so
// far and in all.
func InspectSnapshot(path string, top int, progress func(done, all int64)) (SnapshotReport, error) {
	rep := SnapshotReport{File: path}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		rep.File = filepath.Join(path, snapshotState)
	}
	in, err := os.Open(rep.File)
	if err != nil {
		return rep, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return rep, err
	}
	rep.Bytes = info.Size()
	var r io.Reader = in
	if progress != nil {
		r = &watched{r: in, all: rep.Bytes, tell: progress}
	}
	state, err := fsm.ReadSnapshot(r)
	if err != nil {
		return rep, fmt.Errorf("%s: %w", rep.File, err)
	}
	state.View(func(v fsm.View) {
		rep.Zxid = zabcompat.Zxid(v.LastZxid())
		rep.RaftIndex = v.AppliedIndex()
		rep.ClusterID = v.Cluster()
		rep.Znodes = v.NodeCount()
		rep.Ephemerals = v.EphemeralCount()
		rep.DataBytes = v.ApproximateDataSize()
		rep.Sessions = v.NumSessions()
		rep.Digest = fmt.Sprintf("%016x", v.Digest())
		rep.LargestSubtree = v.LargestSubtrees(top)
	})
	return rep, nil
}

// watched tells how far reading has come.
type watched struct {
	r         io.Reader
	done, all int64
	tell      func(done, all int64)
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.done += int64(n)
	w.tell(w.done, w.all)
	return n, err
}
