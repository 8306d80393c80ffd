package store

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func copyTree(t testing.TB, from, to string) {
	t.Helper()
	must(t, os.RemoveAll(to))
	must(t, os.CopyFS(to, os.DirFS(from)))
}

func TestDirectories(t *testing.T) {
	// Each server has written, and knows its cluster.
	grown := func(t *testing.T, cfg Config) {
		s := mustOpen(t, cfg)
		fill(t, s, 1, 20, 5, 100)
		takeSnapshot(t, s, 10, 1, []byte("state"))
		must(t, s.SetCluster("c"))
		mustClose(t, s)
	}
	// A server that has started and done nothing.
	fresh := func(t *testing.T, cfg Config) { mustClose(t, mustOpen(t, cfg)) }
	// One that was killed before raft's first entry.
	cut := func(t *testing.T, cfg Config) {
		s := mustOpen(t, cfg)
		must(t, s.Stable.SetUint64(keyTerm, 4))
		mustClose(t, s)
	}
	one := func(c *Config) { c.DataLogDir = "" }

	for _, tt := range []struct {
		name   string
		setup  func(*testing.T, Config)
		config func(*Config)
		damage func(*testing.T, *Config)
		want   []string // nil: it opens
	}{
		{"untouched", grown, nil, func(*testing.T, *Config) {}, nil},
		{"untouched, one directory", grown, one, func(*testing.T, *Config) {}, nil},
		{"other server", grown, nil, func(_ *testing.T, c *Config) { c.SID = 3 },
			[]string{"dataLogDir", "belongs to server 1, this is server 3 (myid)"}},
		{"other server, one directory", grown, one, func(_ *testing.T, c *Config) { c.SID = 3 },
			[]string{"dataDir", "belongs to server 1, this is server 3 (myid)"}},
		{"other server, even fresh", fresh, nil, func(_ *testing.T, c *Config) { c.SID = 3 }, []string{"belongs to server 1"}},
		{"dataDir blank", grown, nil, func(t *testing.T, c *Config) { must(t, os.RemoveAll(c.DataDir)) },
			[]string{"dataDir", "lost its content", "must not vote"}},
		{"dataLogDir blank", grown, nil, func(t *testing.T, c *Config) { must(t, os.RemoveAll(c.DataLogDir)) },
			[]string{"dataLogDir", "lost its content", "must not vote"}},
		{"dataLogDir blank, fresh", fresh, nil, func(t *testing.T, c *Config) { must(t, os.RemoveAll(c.DataLogDir)) },
			[]string{"dataLogDir", "lost its content"}},
		{"first start interrupted between the identities", fresh, nil,
			func(t *testing.T, c *Config) { must(t, os.Remove(filepath.Join(c.DataDir, "raft", "identity"))) }, nil},
		{"both blank", grown, nil, func(t *testing.T, c *Config) {
			must(t, os.RemoveAll(c.DataDir))
			must(t, os.RemoveAll(c.DataLogDir))
		}, nil},
		{"no identity", grown, one, func(t *testing.T, c *Config) { must(t, os.Remove(filepath.Join(c.DataDir, "raft", "identity"))) },
			[]string{"raft state but no identity"}},
		{"log and votes gone", grown, one, func(t *testing.T, c *Config) {
			must(t, os.RemoveAll(filepath.Join(c.DataDir, "raft", "log")))
		}, []string{"lost its log"}},
		{"votes gone", grown, nil, func(t *testing.T, c *Config) {
			must(t, os.Remove(filepath.Join(c.DataLogDir, "raft", "stable.db")))
		}, []string{"lost its term and vote"}},
		{"snapshots gone, log whole", grown, nil, func(t *testing.T, c *Config) {
			must(t, os.RemoveAll(filepath.Join(c.DataDir, "raft", "snapshots")))
		}, nil},
		{"cluster but nothing else", func(t *testing.T, c Config) {
			s := mustOpen(t, c)
			must(t, s.SetCluster("c"))
			mustClose(t, s)
		}, nil, func(*testing.T, *Config) {}, []string{"of cluster c but lost its log"}},
		{"term but nothing else, and a cluster", func(t *testing.T, c Config) {
			s := mustOpen(t, c)
			must(t, s.Stable.SetUint64(keyTerm, 4))
			must(t, s.SetCluster("c"))
			mustClose(t, s)
		}, nil, func(*testing.T, *Config) {}, []string{"of cluster c but lost its log"}},
		{"term but nothing else", cut, nil, func(*testing.T, *Config) {}, nil},
		{"term but nothing else, other server", cut, nil, func(_ *testing.T, c *Config) { c.SID = 3 }, []string{"belongs to server 1"}},
		{"term but nothing else, dataDir blank", cut, nil, func(t *testing.T, c *Config) { must(t, os.RemoveAll(c.DataDir)) },
			[]string{"dataDir", "lost its content"}},
		{"term but nothing else, no identity", cut, one, func(t *testing.T, c *Config) {
			must(t, os.Remove(filepath.Join(c.DataDir, "raft", "identity")))
		}, []string{"raft state but no identity"}},
		{"other kind of log", grown, nil, func(_ *testing.T, c *Config) { c.Kind = KindBoltDB },
			[]string{"made with raft.logStore=wal", "says boltdb"}},
		{"log of another server with the same id", grown, nil, func(t *testing.T, c *Config) {
			other := testConfig(t, KindWAL)
			grown(t, other)
			copyTree(t, other.DataLogDir, c.DataLogDir)
		}, []string{"do not belong together"}},
		{"cluster written in one directory only", func(t *testing.T, c Config) {
			grown(t, c)
			path := filepath.Join(c.DataDir, "raft", "identity")
			b, err := os.ReadFile(path)
			must(t, err)
			id, err := decodeIdentity(b)
			must(t, err)
			id.Cluster = ""
			must(t, os.WriteFile(path, id.encode(), 0o644))
		}, nil, func(*testing.T, *Config) {}, nil},
		{"directories of two clusters", func(t *testing.T, c Config) {
			grown(t, c)
			path := filepath.Join(c.DataDir, "raft", "identity")
			b, err := os.ReadFile(path)
			must(t, err)
			id, err := decodeIdentity(b)
			must(t, err)
			id.Cluster = "d"
			must(t, os.WriteFile(path, id.encode(), 0o644))
		}, nil, func(*testing.T, *Config) {}, []string{"to cluster c", "to cluster d"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig(t, KindWAL)
			if tt.config != nil {
				tt.config(&cfg)
			}
			tt.setup(t, cfg)
			tt.damage(t, &cfg)
			if tt.want != nil {
				mustRefuse(t, cfg, tt.want...)
				mustRefuse(t, cfg, tt.want...) // a refusal changes nothing
				return
			}
			mustClose(t, mustOpen(t, cfg))
			mustClose(t, mustOpen(t, cfg))
		})
	}
}

func TestBlankGetsNewDisk(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	s := mustOpen(t, cfg)
	before := s.Identity().Disk
	mustClose(t, s)
	must(t, os.RemoveAll(cfg.DataDir))
	must(t, os.RemoveAll(cfg.DataLogDir))
	if after := mustOpen(t, cfg).Identity().Disk; after == before {
		t.Errorf("an empty disk came back as %x", after)
	}
}

func TestSetCluster(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	s := mustOpen(t, cfg)
	fill(t, s, 1, 1, 1, 10)
	for _, bad := range []string{"", "two words", "a\nb", "ä"} {
		if err := s.SetCluster(bad); err == nil {
			t.Errorf("SetCluster(%q) succeeded", bad)
		}
	}
	must(t, s.SetCluster("one"))
	must(t, s.SetCluster("one"))
	err := s.SetCluster("two")
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("cluster one, not to two")) {
		t.Errorf("SetCluster of another: %v", err)
	}
	mustClose(t, s)
	if got := mustOpen(t, cfg).Identity().Cluster; got != "one" {
		t.Errorf("cluster %q, want one", got)
	}
}

func TestIdentityFlips(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	s := mustOpen(t, cfg)
	fill(t, s, 1, 1, 1, 10)
	mustClose(t, s)
	path := filepath.Join(cfg.DataDir, "raft", "identity")
	whole, err := os.ReadFile(path)
	must(t, err)
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 1 << (i % 8)
		if id, err := decodeIdentity(b); err == nil {
			t.Fatalf("byte %d flipped, and read as %+v", i, id)
		}
	}
	must(t, os.WriteFile(path, whole[:len(whole)-1], 0o644))
	mustRefuse(t, cfg, path, "identity file is damaged")
}

func FuzzDecodeIdentity(f *testing.F) {
	f.Add(Identity{SID: 3, Disk: [16]byte{1, 2}, Cluster: "c", kind: KindWAL}.encode())
	f.Add([]byte(identityHead + "sid=1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if id, err := decodeIdentity(b); err == nil && !bytes.Equal(id.encode(), b) {
			t.Errorf("%q is read as %+v, which is written %q", b, id, id.encode())
		}
	})
}

// Of directories that are damaged, or not all there, the refusal says what helps; of
// others it does not, for nothing is to be moved away there.
func TestRefusalSaysWhatHelps(t *testing.T) {
	cfg := testConfig(t, KindWAL)
	must(t, mustOpen(t, cfg).Close())
	helps := "and the other servers have a quorum, move " + filepath.Join(cfg.DataDir, raftDir) + " and " + filepath.Join(cfg.DataLogDir, raftDir) + " away, keep myid, and start"

	path := filepath.Join(cfg.DataDir, raftDir, "identity")
	whole, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, whole[:len(whole)-2], 0o600))
	mustRefuse(t, cfg, path, "identity file is damaged", helps)
	must(t, os.WriteFile(path, whole, 0o600))
	stable := filepath.Join(cfg.DataLogDir, raftDir, "stable.db")
	must(t, os.Rename(stable, stable+".away"))
	mustRefuse(t, cfg, "lost its term and vote", helps)
	must(t, os.Rename(stable+".away", stable))

	other := cfg
	other.SID = 2
	bolt := cfg
	bolt.Kind = KindBoltDB
	for name, cfg := range map[string]Config{"another server's": other, "another log store": bolt} {
		if s, err := Open(cfg); err == nil || strings.Contains(err.Error(), "move") {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	s := mustOpen(t, cfg)
	if _, err := Open(cfg); err == nil || strings.Contains(err.Error(), "move") {
		t.Errorf("in use: %v", err)
	}
	must(t, s.Close())
}
