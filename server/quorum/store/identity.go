package store

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

const identityHead = "# Written by zooraft. Do not edit it, and do not copy it to another server.\nversion=1\n"

// errIdentity is wrapped by errors about the text of an identity file.
var errIdentity = errors.New("identity file is damaged")

// Identity says whose directory it is.
type Identity struct {
	// SID is the server that the directory belongs to.
	SID int64
	// Disk is drawn when the directories are made, and is the same in both. A
	// server whose disk id its ensemble does not know comes with an empty disk.
	Disk [16]byte
	// Cluster is the id of the ensemble, empty until [Stores.SetCluster].
	Cluster string

	kind string
}

// encode returns the text of the file. There is one text for an identity.
func (id Identity) encode() []byte {
	b := fmt.Appendf(nil, "%ssid=%d\ndisk=%x\nlog=%s\ncluster=%s\n", identityHead, id.SID, id.Disk, id.kind, id.Cluster)
	return fmt.Appendf(b, "checksum=%08x\n", checksum(b))
}

// decodeIdentity is the inverse of encode and accepts nothing else.
func decodeIdentity(b []byte) (Identity, error) {
	var id Identity
	rest, ok := strings.CutPrefix(string(b), identityHead)
	if !ok {
		return id, fmt.Errorf("%w: it is not a version 1 identity", errIdentity)
	}
	values := map[string]string{}
	for line := range strings.Lines(rest) {
		k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		values[k] = v
	}
	var err error
	if id.SID, err = strconv.ParseInt(values["sid"], 10, 64); err != nil {
		return id, fmt.Errorf("%w: sid %q", errIdentity, values["sid"])
	}
	disk, err := hex.DecodeString(values["disk"])
	if err != nil || len(disk) != len(id.Disk) {
		return id, fmt.Errorf("%w: disk %q", errIdentity, values["disk"])
	}
	copy(id.Disk[:], disk)
	id.kind, id.Cluster = values["log"], values["cluster"]
	if !bytes.Equal(id.encode(), b) {
		return id, fmt.Errorf("%w: its checksum does not fit", errIdentity)
	}
	return id, nil
}

// storeFile is a file that is there whenever an identity is, if it applies.
type storeFile struct {
	what, path string
	applies    bool
}

// identityFiles are the identity file of dataDir, and that of dataLogDir if it
// is another directory.
//
// Invariant: dataLogDir's is made first, and both are made after the stores.
// So an identity in dataDir proves that everything was there once, and one in
// dataLogDir alone is a first start that a crash interrupted, as long as
// dataLogDir, which holds the term, has no raft state.
type identityFiles struct {
	cfg   Config
	paths []string // in the order they are made: dataLogDir's, dataDir's

	mu   sync.Mutex
	id   Identity
	have []bool
}

func openIdentity(cfg Config, stores []storeFile) (*identityFiles, error) {
	f := &identityFiles{cfg: cfg, paths: []string{filepath.Join(cfg.DataDir, raftDir, "identity")}}
	if cfg.DataLogDir != cfg.DataDir {
		f.paths = append([]string{filepath.Join(cfg.DataLogDir, raftDir, "identity")}, f.paths...)
	}
	f.have = make([]bool, len(f.paths))
	for i, path := range f.paths {
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		id, err := decodeIdentity(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if err := f.merge(i, id); err != nil {
			return nil, err
		}
	}
	if !f.have[len(f.have)-1] {
		return f, nil
	}
	if !f.have[0] {
		return nil, f.lost(0)
	}
	for _, s := range stores {
		if !s.applies {
			continue
		}
		if ok, err := exists(s.path); err != nil {
			return nil, err
		} else if !ok {
			return nil, fmt.Errorf("%s lost its %s: %s is missing; this server must not vote on it", f.name(0), s.what, s.path)
		}
	}
	return f, nil
}

// merge takes what the i-th file says and compares it with what is known.
func (f *identityFiles) merge(i int, id Identity) error {
	if id.SID != f.cfg.SID {
		return misfit{fmt.Errorf("%s belongs to server %d, this is server %d (myid)", f.name(i), id.SID, f.cfg.SID)}
	}
	if id.kind != f.cfg.Kind {
		return misfit{fmt.Errorf("%s was made with raft.logStore=%s, the configuration says %s", f.name(i), id.kind, f.cfg.Kind)}
	}
	f.have[i] = true
	if i == 0 || !f.have[0] {
		f.id = id
		return nil
	}
	if id.Disk != f.id.Disk {
		return misfit{fmt.Errorf("%s (disk %x) and %s (disk %x) do not belong together", f.name(0), f.id.Disk, f.name(i), id.Disk)}
	}
	if f.id.Cluster != "" && id.Cluster != "" && id.Cluster != f.id.Cluster {
		return misfit{fmt.Errorf("%s belongs to cluster %s, %s to cluster %s", f.name(0), f.id.Cluster, f.name(i), id.Cluster)}
	}
	if f.id.Cluster == "" {
		f.id.Cluster = id.Cluster
	}
	return nil
}

// settle refuses what does not go with the raft state that was found, and
// makes the files that are missing.
func (f *identityFiles) settle(found state) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	none := true
	for i, have := range f.have {
		none = none && !have
		if !have && !none && (found.any() || f.id.Cluster != "") {
			return f.lost(i)
		}
	}
	switch {
	case none && found.any():
		return fmt.Errorf("%s has raft state but no identity: whose votes it holds is unknown", f.name(len(f.paths)-1))
	case f.id.Cluster != "" && found.last == 0 && found.snapIndex == 0:
		return fmt.Errorf("%s is of cluster %s but lost its log; this server must not vote on it", f.name(0), f.id.Cluster)
	case none:
		f.id = Identity{SID: f.cfg.SID, kind: f.cfg.Kind}
		if _, err := rand.Read(f.id.Disk[:]); err != nil {
			return fmt.Errorf("draw disk id: %w", err)
		}
	}
	// Also completes what a crash left half-done: a second file, or the cluster
	// in only one of them.
	return f.writeLocked()
}

func (f *identityFiles) writeLocked() error {
	want := f.id.encode()
	for i, path := range f.paths {
		if b, err := os.ReadFile(path); err == nil && bytes.Equal(b, want) {
			continue
		}
		if err := writeFile(path, want); err != nil {
			return fmt.Errorf("write identity: %w", err)
		}
		f.have[i] = true
	}
	return nil
}

func (f *identityFiles) current() Identity {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.id
}

func (f *identityFiles) setCluster(id string) error {
	if id == "" || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("cluster id %q is not a printable word", id)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.id.Cluster == id {
		return nil
	}
	if f.id.Cluster != "" {
		return fmt.Errorf("%s belongs to cluster %s, not to %s", f.name(len(f.paths)-1), f.id.Cluster, id)
	}
	f.id.Cluster = id
	if err := f.writeLocked(); err != nil {
		f.id.Cluster = ""
		return err
	}
	return nil
}

// lost says that the i-th directory came back without its content.
func (f *identityFiles) lost(i int) error {
	return fmt.Errorf("%s lost its content, %s did not; this server must not vote on it", f.name(i), f.name(len(f.paths)-1-i))
}

func (f *identityFiles) name(i int) string {
	if i == len(f.paths)-1 {
		return "dataDir " + f.cfg.DataDir
	}
	return "dataLogDir " + f.cfg.DataLogDir
}
